"""The evidence log, hash-chained and signed, and the folders of runs."""
