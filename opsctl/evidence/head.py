"""The head of the evidence log: its newest line, signed, so that a cut tail is found."""

from __future__ import annotations

from datetime import datetime

from opsctl.evidence.line import canonical
from opsctl.model.value import Value


class Head(Value):
    """The newest line of a log at one moment.

    `log` is the hash of the log's first line, which names the log wherever it lies.
    Either `signature` and `signer` are there, or `unsigned` says why not.
    """

    at: datetime
    log: str
    index: int
    hash: str
    signature: str = ""
    signer: str = ""
    """The public key of the signature, in the form of OpenSSH."""
    unsigned: str = ""

    @property
    def signed_bytes(self) -> bytes:
        """What the signature is made of."""
        return canonical({"hash": self.hash, "index": self.index, "log": self.log})
