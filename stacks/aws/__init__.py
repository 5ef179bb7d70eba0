"""An environment on AWS: its design as a value, and the components that declare it."""
