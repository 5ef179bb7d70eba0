"""The base of every value of the model."""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen value: equal by content, refusing unknown keys, with a stable digest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def digest(self) -> str:
        """Return the SHA-256 of the canonical JSON of this value, as 64 hex digits."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
