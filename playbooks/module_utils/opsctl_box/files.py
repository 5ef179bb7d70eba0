"""Files whose whole content is a setting; what they replace is kept to the byte."""

from __future__ import annotations

import base64
import os
from typing import Any

from ansible.module_utils.opsctl_box.system import Refused, parents_missing
from ansible.module_utils.opsctl_box.writer import Writer


class Files(Writer):
    """`at`: a path; the content."""

    means = "file"

    def read(self, ats: list[str]) -> dict[str, str | None]:
        """Return the content of each."""
        return {at: self.system.read(at) for at in ats}

    def holds(self, at: str, state: str | None, want: str) -> bool:
        """Compare, but for the end of the last line."""
        return state is not None and state.rstrip("\n") == want.rstrip("\n")

    def before_writing(self, ats: list[str]) -> dict[str, Any]:
        """Keep content, mode and owner; of a file that is not there, the folders it will need."""
        kept = {}
        for at in ats:
            if self.system.at(at).is_symlink():
                raise Refused(f"{at} is a link to {self.system.at(at).readlink()}: make it a file")
            content = self.system.read(at)
            if content is None:
                kept[at] = {"content": None, "folders": list(parents_missing(self.system, at))}
                continue
            known = self.system.at(at).stat()
            raw = content.encode("utf-8", "surrogateescape")
            kept[at] = {
                "content": base64.b64encode(raw).decode("ascii"),
                "mode": known.st_mode & 0o7777,
                "owner": [known.st_uid, known.st_gid],
            }
        return kept

    def write_one(self, at: str, want: str) -> None:
        """Replace it as a whole; one that was there keeps its mode."""
        target = self.system.at(at)
        mode = target.stat().st_mode & 0o7777 if target.exists() else 0o644
        self.system.write(at, want.rstrip("\n") + "\n", mode)

    def restore_one(self, at: str, former: Any) -> None:
        """Give it its former content, or take it and the folders that came with it away."""
        if former["content"] is None:
            self.system.remove(at)
            for folder in former["folders"]:
                try:
                    self.system.at(folder).rmdir()
                except OSError:  # it holds other things by now
                    break
            return
        content = base64.b64decode(former["content"]).decode("utf-8", "surrogateescape")
        self.system.write(at, content, former["mode"])
        os.chown(self.system.at(at), *former["owner"])

    def as_before(self, at: str, state: str | None, former: Any) -> bool:
        """Compare the content."""
        if former["content"] is None:
            return state is None
        raw = base64.b64decode(former["content"])
        return state is not None and state.encode("utf-8", "surrogateescape") == raw

    def shown(self, state: Any) -> str:
        """Say the content; of what was kept, that there was one."""
        return "(none)" if state is None else str(state).rstrip("\n")
