"""AWS for tests: moto servers, and the `aws` provider and language host of Pulumi's engine."""
