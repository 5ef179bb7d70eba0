"""What Pulumi declares for an environment that does not run on this machine."""
