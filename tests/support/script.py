"""The script that an auditor finds in the docs."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "check-a-drill.md"


def auditor(path: Path) -> Path:
    """Write the script of docs/check-a-drill.md to a path; return it."""
    [script] = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    path.write_text(script)
    return path
