"""The `local` target: processes of this user on this machine, loopback only."""

from opsctl.targets.local.target import LocalTarget

__all__ = ["LocalTarget"]
