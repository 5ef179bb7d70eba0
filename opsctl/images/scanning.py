"""Looking for known vulnerabilities: of the locked packages, and of the distribution's.

What could not be looked at is said, and never counts as clean.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx

from opsctl.images import distribution, store
from opsctl.images.definition import AppImage, ServerImage, base, chosen
from opsctl.images.dependencies import requirements
from opsctl.images.results import Finding, ImagesScanned, Looked
from opsctl.images.source import Source, source
from opsctl.toolchain.commands import redacted

TRACKER = "https://security-tracker.debian.org/tracker/data/json"
"""Debian's own data: every source package, every CVE, its state in every release."""
TIMEOUT_S = 60.0

Report = Callable[[str, str], None]


def scan(names: Sequence[str], report: Report, *, debian_data: Path | None = None) -> ImagesScanned:
    """Return what is known against the parts of images; all images where none is named.

    `debian_data` is a copy of Debian's data, for a machine that cannot reach it.
    """
    wanted, found = chosen(tuple(names)), source()
    looked: list[Looked] = []
    findings: list[Finding] = []
    apps = [image for image in wanted if isinstance(image, AppImage)]
    if apps:
        report("scan", "asking for the vulnerabilities of the locked packages (pip-audit)")
        _add(looked, findings, _packages(apps, found))
    report("scan", "asking for the vulnerabilities of the distribution's packages")
    _add(looked, findings, _debian(wanted, debian_data))
    programs = sorted({image.program for image in wanted if isinstance(image, ServerImage)})
    if programs:
        looked.append(
            Looked(
                source="programs of the toolchain",
                asked=False,
                packages=len(programs),
                why=f"no data is kept here on {', '.join(programs)}: give their bills of "
                "materials to a scanner of yours (images build says where they lie)",
            )
        )
    unknown = not all(one.asked for one in looked)
    verdict = "vulnerable" if findings else "unknown" if unknown else "clean"
    return ImagesScanned.model_validate(
        {"verdict": verdict, "looked": looked, "findings": findings}
    )


def _add(looked: list[Looked], findings: list[Finding], said: tuple[Looked, list[Finding]]) -> None:
    looked.append(said[0])
    findings += said[1]


def _packages(apps: Sequence[AppImage], found: Source) -> tuple[Looked, list[Finding]]:
    """Ask pip-audit about the packages of the lock file that these images hold."""
    used: dict[str, set[str]] = {}
    lines: dict[str, str] = {}
    for group in dict.fromkeys(group for image in apps for group in image.groups):
        for name, text in requirements(found, group).items():
            lines[name] = text.strip()
            used.setdefault(name, set()).update(i.name for i in apps if group in i.groups)
    origin = "PyPI, by pip-audit on uv.lock"

    def unasked(why: str) -> tuple[Looked, list[Finding]]:
        return Looked(source=origin, asked=False, packages=len(lines), why=why), []

    if find_spec("pip_audit") is None:
        return unasked("pip-audit is not installed: uv sync --extra scan, or pip install pip-audit")
    with tempfile.TemporaryDirectory(prefix="opsctl-scan-") as folder:
        listed = Path(folder) / "requirements.txt"
        listed.write_text("\n".join(lines.values()) + "\n", encoding="utf-8")
        argv = [sys.executable, "-m", "pip_audit", "--requirement", str(listed)]
        argv += ["--require-hashes", "--disable-pip", "--format", "json"]
        argv += ["--progress-spinner", "off", "--timeout", "15"]
        try:
            done = subprocess.run(
                argv, capture_output=True, text=True, check=False, timeout=10 * TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            return unasked("pip-audit did not end in time")
    try:
        answer = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        return unasked(f"pip-audit: {redacted(last[0]) if last else 'no answer'}")
    return _audited(answer, used, origin)


def _audited(
    answer: list[dict[str, Any]], used: dict[str, set[str]], origin: str
) -> tuple[Looked, list[Finding]]:
    """Return what pip-audit's answer comes to."""
    skipped = {str(e["name"]): str(e["skip_reason"]) for e in answer if "skip_reason" in e}
    findings = [
        Finding(
            package=entry["name"],
            version=entry["version"],
            id=flaw["id"],
            fixed_in=tuple(flaw.get("fix_versions", ())),
            images=tuple(sorted(used.get(entry["name"], ()))),
        )
        for entry in answer
        for flaw in entry.get("vulns", ())
    ]
    why = ""
    if skipped:
        few = ", ".join([*skipped][:5]) + (" and more" if len(skipped) > 5 else "")
        reason = redacted(next(iter(skipped.values())))
        why = f"nothing was said of {len(skipped)} of {len(answer)} ({few}): {reason}"
    return (
        Looked(source=origin, asked=not skipped, packages=len(answer) - len(skipped), why=why),
        findings,
    )


def _debian(
    images: Sequence[AppImage | ServerImage], copy: Path | None
) -> tuple[Looked, list[Finding]]:
    """Hold the packages of the distribution in images against Debian's security data."""
    origin = f"Debian security tracker ({copy})" if copy else "Debian security tracker"
    recipes = [
        (distribution.recipe(), [image.name for image in images]),
        *(
            (distribution.beside(image.packages), [image.name])
            for image in images
            if isinstance(image, ServerImage) and image.packages
        ),
    ]
    held = [(layer, names) for recipe, names in recipes if (layer := store.find(recipe))]
    packages = [part for layer, _ in held for part in layer.components]

    def unasked(why: str) -> tuple[Looked, list[Finding]]:
        return Looked(source=origin, asked=False, packages=len(packages), why=why), []

    if len(held) < len(recipes):
        return unasked("these images have not been made here: opsctl images build")
    try:
        if copy is not None:
            data = json.loads(copy.read_text("utf-8"))
        else:
            answer = httpx.get(TRACKER, timeout=TIMEOUT_S, follow_redirects=True)
            data = answer.raise_for_status().json()
        flaws = [
            flaw
            for layer, names in held
            for flaw in _open(data, packages_of(layer.components), names)
        ]
    except (OSError, httpx.HTTPError, ValueError, AttributeError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        return unasked(f"it cannot be read: {redacted(said)}")
    return Looked(source=origin, asked=True, packages=len(packages)), flaws


def packages_of(components: Iterable[Any]) -> dict[str, str]:
    """Return source package to version of the components of a layer of the distribution."""
    found = {}
    for part in components:
        _, _, words = part.purl.partition("?")
        fields = dict(word.partition("=")[::2] for word in words.split("&"))
        upstream = fields.get("upstream", part.name)
        name, _, version = upstream.partition("@")
        found[name] = version or part.version
    return found


def _open(
    data: dict[str, Any], packages: dict[str, str], names: Sequence[str]
) -> Iterable[Finding]:
    """Yield what is known against these versions and neither fixed in them nor dismissed."""
    for package, version in sorted(packages.items()):
        for flaw, about in sorted((data.get(package) or {}).items()):
            state = (about.get("releases") or {}).get(base().suite)
            if state is None or state.get("urgency") == "unimportant" or state.get("nodsa"):
                continue
            fixed = str(state.get("fixed_version", ""))
            if state.get("status") == "resolved" and (
                fixed in ("", "0") or not _older(version, fixed)
            ):
                continue
            yield Finding(
                package=package,
                version=version,
                id=flaw,
                fixed_in=(fixed,) if fixed and fixed != "0" else (),
                images=tuple(names),
            )


def _older(version: str, than: str) -> bool:
    """Return whether a Debian version comes before another, as dpkg orders them."""
    return (
        subprocess.run(["dpkg", "--compare-versions", version, "lt", than], check=False).returncode
        == 0
    )
