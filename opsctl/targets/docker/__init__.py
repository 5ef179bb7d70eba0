"""The `docker` target: every service a container of an engine, each place a network of its own."""

from opsctl.targets.docker.target import DockerTarget

__all__ = ["DockerTarget"]
