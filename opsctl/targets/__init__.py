"""Targets: what runs the services of an environment."""
