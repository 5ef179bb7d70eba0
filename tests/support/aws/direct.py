"""Drives the provider as the engine does, without the engine: fast, and one call at a time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from pulumi.runtime.proto import provider_pb2, status_pb2

from tests.support.aws import wire
from tests.support.aws.provider import Errors, Provider
from tests.support.aws.wire import Properties


class Aborted(Exception):
    """What the engine would show as a resource's error."""

    def __init__(self, details: str, metadata: dict[str, Any] | None = None) -> None:
        """Take the error, and what the server sent beside it."""
        super().__init__(details)
        self._metadata = metadata or {}

    @property
    def half_made(self) -> Made | None:
        """What the engine records although the call failed; None if it records nothing."""
        sent = self._metadata.get("grpc-status-details-bin")
        if sent is None:
            return None
        [detail] = status_pb2.Status.FromString(sent).details
        half = provider_pb2.ErrorResourceInitFailed()
        assert detail.Unpack(half)
        return Made("", half.id, wire.load(half.inputs), wire.load(half.properties))


class Context:
    """The call's context: keeps what a server would send beside its answer."""

    def __init__(self) -> None:
        """Begin a call."""
        self.metadata: dict[str, Any] = {}

    def abort(self, code: Any, details: str) -> None:
        """End the call with an error."""
        raise Aborted(details, self.metadata)

    def set_trailing_metadata(self, metadata: Any) -> None:
        """Keep what goes with the error."""
        self.metadata |= dict(metadata)


@dataclass(frozen=True)
class Made:
    """A resource that exists, as the engine's state has it."""

    urn: str
    id: str
    inputs: Properties
    outputs: Properties

    def __getitem__(self, name: str) -> Any:
        """Return an output."""
        return self.outputs[name]


@dataclass
class Direct:
    """An engine's side of the protocol, in process."""

    settings: Properties = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Configure the provider."""
        self._provider = Provider()
        self.call("Configure", provider_pb2.ConfigureRequest(args=wire.dump(self.settings)))

    def call(self, method: str, request: Any) -> Any:
        """Call a method as a server would, errors turned into what the engine gets."""

        class _Handler:
            unary_unary = getattr(self._provider, method)
            request_deserializer = response_serializer = None

        handler = Errors().intercept_service(lambda _: _Handler, None)
        return handler.unary_unary(request, Context())

    def check(self, token: str, name: str, inputs: Properties, old: Made | None = None) -> Any:
        """Return the answer to Check: inputs and failures."""
        return self.call(
            "Check",
            provider_pb2.CheckRequest(
                urn=urn(token, name),
                news=wire.dump(inputs),
                olds=wire.dump(old.inputs if old else {}),
                randomSeed=hashlib.sha256(name.encode()).digest(),
            ),
        )

    def refusals(self, token: str, inputs: Properties) -> dict[str, str]:
        """Return what is refused of the inputs, by property."""
        return {one.property: one.reason for one in self.check(token, "refused", inputs).failures}

    def checked(
        self, token: str, name: str, inputs: Properties, old: Made | None = None
    ) -> Properties:
        """Return the inputs as the provider completes them; fail if it refuses any."""
        answer = self.check(token, name, inputs, old)
        failures = [f"{one.property}: {one.reason}" for one in answer.failures]
        if failures:
            raise Aborted("; ".join(failures))
        return wire.load(answer.inputs)

    def preview(self, token: str, name: str, inputs: Properties) -> Properties:
        """Return the outputs as they are foreseen of a resource to be made."""
        checked = self.checked(token, name, inputs)
        answer = self.call(
            "Create",
            provider_pb2.CreateRequest(
                urn=urn(token, name), properties=wire.dump(checked), preview=True
            ),
        )
        return wire.load(answer.properties)

    def create(self, token: str, name: str, inputs: Properties) -> Made:
        """Make a resource."""
        checked = self.checked(token, name, inputs)
        answer = self.call(
            "Create",
            provider_pb2.CreateRequest(urn=urn(token, name), properties=wire.dump(checked)),
        )
        return Made(urn(token, name), answer.id, checked, wire.load(answer.properties))

    def diff(self, made: Made, inputs: Properties) -> Any:
        """Return the answer to Diff against what was declared, or was found by a refresh."""
        token, name = made.urn.split("::")[2:]
        return self.call(
            "Diff",
            provider_pb2.DiffRequest(
                id=made.id,
                urn=made.urn,
                olds=wire.dump(made.outputs),
                old_inputs=wire.dump(made.inputs),
                news=wire.dump(self.checked(token, name, inputs, made)),
            ),
        )

    def update(self, made: Made, inputs: Properties) -> Made:
        """Change a resource."""
        token, name = made.urn.split("::")[2:]
        checked = self.checked(token, name, inputs, made)
        answer = self.call(
            "Update",
            provider_pb2.UpdateRequest(
                id=made.id,
                urn=made.urn,
                olds=wire.dump(made.outputs),
                old_inputs=wire.dump(made.inputs),
                news=wire.dump(checked),
            ),
        )
        return Made(made.urn, made.id, checked, wire.load(answer.properties))

    def refresh(self, made: Made) -> Made | None:
        """Return the resource as it is; None if it is gone."""
        answer = self.call(
            "Read",
            provider_pb2.ReadRequest(
                id=made.id,
                urn=made.urn,
                properties=wire.dump(made.outputs),
                inputs=wire.dump(made.inputs),
            ),
        )
        if not answer.id:
            return None
        return Made(made.urn, answer.id, wire.load(answer.inputs), wire.load(answer.properties))

    def adopt(self, token: str, name: str, id_: str) -> Made | None:
        """Import what exists by its id."""
        return self.refresh(Made(urn(token, name), id_, {}, {}))

    def delete(self, made: Made) -> None:
        """Delete a resource."""
        self.call(
            "Delete",
            provider_pb2.DeleteRequest(
                id=made.id, urn=made.urn, properties=wire.dump(made.outputs)
            ),
        )

    def invoke(self, token: str, arguments: Properties) -> Properties:
        """Call a function."""
        answer = self.call(
            "Invoke", provider_pb2.InvokeRequest(tok=token, args=wire.dump(arguments))
        )
        return wire.load(getattr(answer, "return"))


def urn(token: str, name: str) -> str:
    """Name a resource as the engine does."""
    return f"urn:pulumi:test::trading::{token}::{name}"
