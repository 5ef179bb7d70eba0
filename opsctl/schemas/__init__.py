"""JSON schemas of what commands print with `--output json`: a contract, one file a result.

Each is generated from the model of the result. A command that gains a result adds a line
to `RESULTS` and runs `python -m opsctl.schemas --write`; a test keeps the files current.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

RESULTS: dict[str, str] = {
    "profile-file": "opsctl.model.profile.own:Own",
    "env-list": "opsctl.model.results:EnvironmentList",
    "env-show": "opsctl.model.results:EnvironmentShown",
    "env-new": "opsctl.model.results:EnvironmentNew",
    "env-check": "opsctl.model.results:EnvironmentCheck",
    "env-forget": "opsctl.model.results:EnvironmentForgotten",
    "env-up": "opsctl.ephemeral.outcome:Up",
    "env-down": "opsctl.ephemeral.outcome:Reaping",
    "env-reap": "opsctl.ephemeral.outcome:Reaping",
    "env-rotate": "opsctl.deploy.outcome:Rotated",
    "plan": "opsctl.deploy.rollout:Planned",
    "plan-infrastructure": "opsctl.infra.planning:Planned",
    "deploy-on-infrastructure": "opsctl.infra.whole:Deployed",
    "deploy-infrastructure": "opsctl.infra.applying:InfrastructureDeployed",
    "destroy-infrastructure": "opsctl.infra.applying:InfrastructureDestroyed",
    "deploy": "opsctl.deploy.outcome:Deployed",
    "rollback": "opsctl.deploy.outcome:Deployed",
    "destroy": "opsctl.deploy.outcome:Destroyed",
    "logs": "opsctl.targets.base:LogLine",
    "open": "opsctl.deploy.outcome:Link",
    "halt": "opsctl.deploy.outcome:Switched",
    "resume": "opsctl.deploy.outcome:Switched",
    "failover": "opsctl.recovery.outcome:Failover",
    "failback": "opsctl.recovery.outcome:Failover",
    "drill-check": "opsctl.drills.outcome:ScenariosChecked",
    "drill-list": "opsctl.drills.outcome:Scenarios",
    "drill-run": "opsctl.drills.outcome:Result",
    "drill-schedule": "opsctl.drills.due:Schedule",
    "drill-show": "opsctl.drills.recording.finding:Result",
    "drill-report": "opsctl.drills.report:Result",
    "drill-simulate": "opsctl.drills.simulator.outcome:Simulation",
    "provision": "opsctl.provision.results:Provisioned",
    "audit-host": "opsctl.provision.results:Audited",
    "evidence-list": "opsctl.evidence.results:Lines",
    "evidence-show": "opsctl.evidence.results:Shown",
    "evidence-verify": "opsctl.evidence.results:Checked",
    "stack-outputs": "opsctl.infra.results:StackOutputs",
    "stack-drift": "opsctl.infra.results:StackDrift",
    "stack-history": "opsctl.infra.results:StackHistory",
    "stack-export": "opsctl.infra.results:StackExported",
    "stack-import": "opsctl.infra.results:StackImported",
    "stack-repair": "opsctl.infra.results:StackRepaired",
    "stack-snapshot": "opsctl.infra.snapshots:StackSnapshots",
    "stack-discover": "opsctl.provision.discovering:Discovered",
    "toolchain-list": "opsctl.toolchain.results:ToolchainState",
    "toolchain-install": "opsctl.toolchain.results:ToolchainInstalled",
    "toolchain-check": "opsctl.toolchain.results:ToolchainCheck",
    "toolchain-export": "opsctl.toolchain.results:ToolchainArchive",
    "toolchain-import": "opsctl.toolchain.results:ToolchainArchive",
    "images-list": "opsctl.images.results:ImagesListed",
    "images-build": "opsctl.images.results:ImagesBuilt",
    "images-push": "opsctl.images.results:ImagesPushed",
    "images-scan": "opsctl.images.results:ImagesScanned",
    "images-save": "opsctl.images.results:ImagesSaved",
    "images-load": "opsctl.images.results:ImagesLoaded",
    "status": "opsctl.health.report:EnvironmentStatus",
    "health": "opsctl.health.report:EnvironmentHealth",
    "verify": "opsctl.health.verify:Verification",
}
"""The result of each command (its words joined by `-`), as `module:Class`; and `FILES`."""
FILES = frozenset({"profile-file"})
"""What people write, and opsctl reads: the schema is of what is taken, for their editors."""

FOLDER = Path(__file__).parent


def result_model(name: str) -> type[BaseModel]:
    """Return the model of a result; KeyError for a name that is not registered."""
    module, _, attribute = RESULTS[name].partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        raise TypeError(f"{RESULTS[name]} is no pydantic model")
    return found


def schema(name: str) -> dict[str, Any]:
    """Return the JSON schema of a result or file, generated from its model."""
    mode: JsonSchemaMode = "validation" if name in FILES else "serialization"
    generated = result_model(name).model_json_schema(mode=mode)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"opsctl/{name}.json",
        **generated,
    }


def path(name: str) -> Path:
    """Return the file of a result's schema."""
    return FOLDER / f"{name}.json"


def text(name: str) -> str:
    """Return what the file of a result's schema should hold."""
    return json.dumps(schema(name), indent=2, sort_keys=True) + "\n"


def outdated() -> list[str]:
    """Return the schema files that are missing, not current, or of no result."""
    wrong = [
        path(name).name
        for name in RESULTS
        if not path(name).exists() or path(name).read_text(encoding="utf-8") != text(name)
    ]
    wanted = {path(name) for name in RESULTS}
    wrong += [found.name for found in sorted(FOLDER.glob("*.json")) if found not in wanted]
    return wrong


def write() -> list[str]:
    """Write every schema file that is not current, remove those of no result; return both."""
    changed = outdated()
    for name in RESULTS:
        if path(name).name in changed:
            path(name).write_text(text(name), encoding="utf-8")
    for found in FOLDER.glob("*.json"):
        if found not in {path(name) for name in RESULTS}:
            found.unlink()
    return changed
