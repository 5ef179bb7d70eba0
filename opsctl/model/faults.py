"""A fault of an environment file: where it is, what is wrong, what would be right."""

from __future__ import annotations

from opsctl.model.value import Value

NAMESPACE = "trading"

Path = tuple[str, ...]
"""Where a value is: `("limits", "max_order_shares")`, in the names of the model."""


class Fault(Value):
    """One fault; `path` is written as in the file, `problem` says what would be right."""

    path: str
    problem: str
    file: str = ""
    """The file that holds it, or `flag`; empty where nothing names the value."""
    line: int | None = None

    def __str__(self) -> str:
        """Return `trading:limits.max_order_shares: must be > 0 (Pulumi.daily.yaml, line 9)`."""
        where = self.file + (f", line {self.line}" if self.line else "")
        said = f"{self.path}: {self.problem}" if self.path else self.problem
        return f"{said} ({where})" if where else said


def key_of(field: str) -> str:
    """Return the key of a field as a file writes it: `allow_unmet` -> `allow-unmet`."""
    return field.replace("_", "-")


def written(path: Path) -> str:
    """Return a path as a file writes it: `trading:limits.max_order_shares`."""
    if not path:
        return "config"
    return ".".join((f"{NAMESPACE}:{key_of(path[0])}", *path[1:]))
