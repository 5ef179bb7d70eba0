"""What designs declare, as Pulumi's engine would be told: by Pulumi's own mocks of it.

In a process of their own: Pulumi keeps its state in globals, and leaves event loops behind.
`python -m tests.support.declared` reads designs as JSON and writes what they declare.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from opsctl.infra.previewed import UNKNOWN

if TYPE_CHECKING:
    from stacks.aws.design import Design


@dataclass(frozen=True)
class Declared:
    """One resource, as the engine was told of it."""

    type: str
    name: str
    parent: str
    """The name of its parent; empty: it has none."""
    protected: bool
    provider: str
    """The name of its provider."""
    inputs: dict[str, Any]
    """In Pulumi's own names (camel case)."""
    depends: list[str]
    """The names of what it is made after."""
    aliases: list[str]
    """The names that it had; those of its type, which the package knows, left out."""


@dataclass(frozen=True)
class Stack:
    """All that a design declares, in order, and the outputs of its stack."""

    outputs: dict[str, Any]
    resources: list[Declared]

    def of(self, kind: str) -> list[Declared]:
        """Return the resources of a type: `ec2/vpc:Vpc`, `trading:aws:Network`."""
        token = kind if kind.startswith(("trading:", "pulumi:")) else f"aws:{kind}"
        return [one for one in self.resources if one.type == token]

    def one(self, name: str, kind: str = "") -> Declared:
        """Return the only resource of a name, and of a type where several share it."""
        found = [r for r in self.resources if r.name == name and kind in r.type]
        (only,) = found
        return only

    def counts(self) -> Counter[str]:
        """Return how many resources there are of each type, without the module: `Vpc`."""
        return Counter(one.type.rpartition(":")[2] for one in self.resources)


def declared(
    *designs: Design, renamed: dict[str, list[str]] | None = None, made: bool = True
) -> list[Stack]:
    """Return what designs declare; `renamed` in place of the former names of resources.

    Unless it is `made`, what a cloud determines is unknown yet, as in a first preview.
    """
    asked = {
        "designs": [one.model_dump(mode="json") for one in designs],
        "renamed": renamed or {},
        "made": made,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.declared"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [
        Stack(outputs=one["outputs"], resources=[Declared(**r) for r in one["resources"]])
        for one in json.loads(done.stdout)
    ]


def listed(value: Any) -> list[Any]:
    """Return what a policy says as one text or several, as several."""
    return value if isinstance(value, list) else [value]


def _run(design: Design, *, made: bool) -> Stack:
    import pulumi
    from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks, rpc
    from pulumi.runtime.mocks import MockMonitor

    from stacks.aws.program import declare

    told: list[Declared] = []

    class Known(Mocks):
        """Makes whatever is declared, and gives it what the cloud would have found."""

        def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
            if not made:
                return "", dict(args.inputs)
            id_ = f"{args.name}-id"
            found = {
                "arn": f"arn:aws:mock:::{args.name}",
                "address": f"{args.name}.example",
                "port": 5432,
                "masterUserSecrets": [{"secretArn": f"arn:aws:mock:::{args.name}-master"}],
                "keyId": id_,
                "prefixListId": f"pl-{args.name}",
                "zoneId": id_,
            }
            return id_, found | dict(args.inputs)

        def call(self, args: MockCallArgs) -> tuple[dict[str, Any], None]:
            raise AssertionError(f"a design looks nothing up, and this asks for {args.token}")

    class Monitor(MockMonitor):
        """Remembers parents, protection and providers too."""

        def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
            answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
            if request.type != "pulumi:pulumi:Stack":
                parent = request.parent
                told.append(
                    Declared(
                        type=request.type,
                        name=request.name,
                        parent="" if "pulumi:pulumi:Stack::" in parent else _name(parent),
                        protected=request.protect,
                        provider=_name(request.provider.rpartition("::")[0]),
                        inputs=rpc.deserialize_properties(request.object, keep_unknowns=True),
                        depends=sorted(_name(urn) for urn in request.dependencies),
                        aliases=[one.spec.name for one in request.aliases if one.spec.name],
                    )
                )
            return answer

    mocks = Known()
    pulumi.runtime.set_mocks(
        mocks,
        project="trading",
        stack=design.environment,
        preview=not made,
        monitor=Monitor(mocks),
    )
    outputs: dict[str, Any] = {}

    @pulumi.runtime.test  # type: ignore[untyped-decorator]
    def run() -> pulumi.Output[None]:
        return pulumi.Output.from_input(declare(design)).apply(outputs.update)

    run()
    return Stack(outputs=outputs if made else {}, resources=told)


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def _later(value: object) -> str:
    from pulumi.output import Unknown

    assert isinstance(value, Unknown), value
    return UNKNOWN


def main() -> None:
    """Read designs, write what they declare."""
    from stacks.aws import component
    from stacks.aws.design import Design

    asked = json.load(sys.stdin)
    component.RENAMED = asked["renamed"]
    designs = [Design.model_validate(one) for one in asked["designs"]]
    found = [asdict(_run(one, made=asked["made"])) for one in designs]
    json.dump(found, sys.stdout, default=_later)


if __name__ == "__main__":
    main()
