"""What an opsctl that was killed left unfinished in an environment: one list, healed in one place.

`look` reads it, from files alone, for commands that change nothing and say so; `heal` is for
every other command that names the environment, before it does its own work.
"""

from __future__ import annotations

from opsctl.unfinished.healing import heal
from opsctl.unfinished.left import Left, look

__all__ = ["Left", "heal", "look"]
