"""The catalogue: every setting that a profile may want, by topic."""

from __future__ import annotations

from opsctl.model.profile.catalogue import (
    clock,
    cpu,
    engine,
    interrupts,
    kernel,
    limits,
    memory,
    nic,
    security,
    services,
    sockets,
    storage,
)
from opsctl.model.profile.setting import Setting

SETTINGS: tuple[Setting, ...] = (
    *kernel.SETTINGS,
    *cpu.SETTINGS,
    *memory.SETTINGS,
    *interrupts.SETTINGS,
    *nic.SETTINGS,
    *sockets.SETTINGS,
    *storage.SETTINGS,
    *clock.SETTINGS,
    *limits.SETTINGS,
    *services.SETTINGS,
    *security.SETTINGS,
    *engine.SETTINGS,
)
BY_ID: dict[str, Setting] = {setting.id: setting for setting in SETTINGS}
