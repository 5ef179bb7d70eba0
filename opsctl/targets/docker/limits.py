"""Whether an engine can give what services may use: told before anything is changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opsctl.errors import UsageError
from opsctl.images.engine import EngineRefused, errors
from opsctl.images.running import Runnable
from opsctl.model.resources import Asked, Resources
from opsctl.services.base import Service
from opsctl.targets.docker import naming
from opsctl.targets.docker.containers import Containers
from opsctl.targets.docker.spec import Container

MIB = 1024**2
TRIAL_S = 30
_BY_NUMBER = {7: "open_files", 8: "lock_memory", 14: "realtime"}
"""The kernel's numbers of the limits (RLIMIT_*), by which runc names one that it may not set."""
_TRIAL = """
import ctypes, json, mmap, os, sys
realtime, lock, pages = (int(word) for word in sys.argv[1:])
libc, lacks = ctypes.CDLL(None, use_errno=True), []
if realtime:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(realtime))
    except OSError as why:
        lacks.append(["realtime", str(why)])
if lock and libc.mlockall(3):
    lacks.append(["lock_memory", os.strerror(ctypes.get_errno())])
try:
    if pages:
        mmap.mmap(-1, pages << 21, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)
except OSError as why:
    lacks.append(["huge_pages", str(why)])
print(json.dumps(lacks))
"""


def refuse(
    services: Sequence[Service],
    asked: Mapping[str, Asked],
    containers: Containers,
    python: Runnable,
) -> None:
    """Raise `UsageError` naming everything that the engine cannot give.

    What the kernel alone knows (real-time priority, locked memory, huge pages, open files) is
    tried in a container that does nothing else, with an image that has Python; an engine that
    has not got that image yet is not asked.
    """
    info = containers.engine.info
    named = sorted({service.name for service in services} & asked.keys())
    faults = [fault for name in named for fault in lacking(name, asked[name], info)]
    faults += [
        f"trading:services.{s.name}.realtime: is for apps; a server begins as its image has it"
        for s in services
        if s.resources and s.resources.realtime and s.kind != "app"
    ]
    trials = _trials(services)
    if trials and not faults and containers.engine.find(python.reference) is not None:
        for name, wanted in trials.items():
            faults += _tried(name, wanted, containers, python)
    if faults:
        raise UsageError(
            f"the engine at {containers.engine.address} cannot give what services ask for",
            hint="ask for less (trading:services), or prepare the machine: docs/resources.md",
            details=list(dict.fromkeys(faults)),
        )


def lacking(service: str, asked: Asked, info: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an engine, by what it says of itself, lacks for what a service asks; pure."""
    at = f"trading:services.{service}"
    for field, needs in (
        ("memory_mb", "MemoryLimit"),
        ("cpus", "CPUSet"),
        ("processes", "PidsLimit"),
    ):
        if getattr(asked, field) is not None and info.get(needs) is False:
            yield f"{at}.{field}: the kernel of the engine has no such limit"
    whole = int(info.get("MemTotal", 0)) // MIB
    for field in ("memory_mb", "reserved_mb", "shm_mb"):
        wanted = getattr(asked, field)
        if whole and wanted and wanted > whole:
            yield f"{at}.{field}: {wanted} MiB are more than the {whole} MiB of the engine"
    if asked.reserved_mb and asked.memory_mb and asked.reserved_mb > asked.memory_mb:
        yield f"{at}.reserved_mb: {asked.reserved_mb} MiB are more than its memory_mb"
    if asked.cpus and not processors(asked.cpus):
        yield f"{at}.cpus: {asked.cpus} names no processor"
    count = int(info.get("NCPU", 0))
    if count and asked.cpus and (beyond := sorted(n for n in processors(asked.cpus) if n >= count)):
        few = ", ".join(map(str, beyond[:4]))
        yield f"{at}.cpus: the engine has processors 0-{count - 1}, and no {few}"


def processors(listed: str) -> frozenset[int]:
    """Return the processors that a list such as `0-1,4` names."""
    found: set[int] = set()
    for part in filter(None, listed.split(",")):
        first, _, last = part.partition("-")
        found |= {*range(int(first), int(last or first) + 1)}
    return frozenset(found)


def _trials(services: Sequence[Service]) -> dict[str, Resources]:
    """Return what only a trial can tell, each kind of it once, by the name of a service."""
    kinds: dict[tuple[int, bool, int, int], str] = {}
    found: dict[str, Resources] = {}
    for service in services:
        wanted = service.resources
        if wanted is None:
            continue
        kind = (wanted.realtime, wanted.lock_memory, wanted.huge_pages, wanted.open_files)
        if any(kind) and kind not in kinds:
            kinds[kind] = service.name
            found[service.name] = wanted
    return found


def _told(said: str) -> str:
    """Return in a line what an engine says of a limit that it may not raise."""
    for number, field in _BY_NUMBER.items():
        if f"setting rlimit type {number}:" in said:
            return (
                f".{field}: the engine may not raise this limit; its daemon needs the right "
                "(CAP_SYS_RESOURCE), or the limit itself"
            )
    return f": {said}"


def _tried(name: str, wanted: Resources, containers: Containers, python: Runnable) -> Iterator[str]:
    at = f"trading:services.{name}"
    words = (wanted.realtime, int(wanted.lock_memory), wanted.huge_pages)
    labels = naming.labels(containers.environment, containers.identity, **{naming.ROLE: "trial"})
    trial = Container(
        name=naming.of(containers.environment, "trial"),
        image=python.reference,
        command=(*python.python, "-I", "-S", "-c", _TRIAL, *map(str, words)),
        environment={},
        labels=labels,
        mounts=(),
        networks={},
        in_memory={},
        resources=wanted,
        shares=1_024,
        stop_signal="SIGKILL",
        stop_within_s=1,
        probed=False,
        restarts=False,
    )
    containers.remove(trial.name, 0)
    try:
        containers.create(trial)
        containers.start(trial.name)
        with errors(containers.engine.address):
            status = containers.api.wait(trial.name, timeout=TRIAL_S)["StatusCode"]
            said = containers.api.logs(trial.name).decode(errors="replace").strip()
        if status:
            yield f"{at}: a container with these limits ended with status {status}: {said[-200:]}"
            return
        for field, why in json.loads(said):
            yield f"{at}.{field}: {why}"
    except EngineRefused as why:
        yield f"{at}{_told(why.message)}"
    finally:
        containers.remove(trial.name, 0)
