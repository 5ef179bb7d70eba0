"""The `aws` resource provider of the tests: Pulumi's protocol in front of the declared types."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import grpc  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError
from google.protobuf import any_pb2, empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from tests.support.aws import checks, faults, functions, kinds, schema, wire
from tests.support.aws.cloud import Cloud, Refused, is_gone, tagging
from tests.support.aws.kind import KINDS, Kind, look_up
from tests.support.aws.wire import UNKNOWN, Properties

assert kinds.ALL  # importing them registers them


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """One provider, of one region, as the engine drives it."""

    cloud: Cloud

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's names
        """Say that plain values are wanted: secrets and outputs unwrapped."""
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Pass for the version of the package, which asks for its own."""
        return plugin_pb2.PluginInfo(version=version("pulumi-aws"))

    def Attach(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Accept."""
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Let what runs end: AWS's calls are short."""
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Accept; `Configure` refuses."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Replace what is in a region when the provider's region is another."""
        old, new = wire.load(request.olds), wire.load(request.news)
        moved = ["region"] if old.get("region") != new.get("region") else []
        kind = provider_pb2.DiffResponse
        some = kind.DIFF_SOME if old != new else kind.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some, replaces=moved, diffs=moved)

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Take region, credentials, default tags, allowed accounts."""
        self.cloud = Cloud(_settings(request))
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Answer a function such as getAvailabilityZones."""
        if request.tok not in functions.FUNCTIONS:
            raise Refused(f"the tests' aws provider does not serve the function {request.tok}")
        found = functions.FUNCTIONS[request.tok](self.cloud, wire.load(request.args))
        return provider_pb2.InvokeResponse(**{"return": wire.dump(found)})

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Fill in defaults, and refuse what AWS, or its real provider, would."""
        kind, inputs, old = _kind(request.urn), wire.load(request.news), wire.load(request.olds)
        filled = [name for name in kind.defaults if name not in inputs]
        inputs |= {name: copy.deepcopy(kind.defaults[name]) for name in filled}
        if kind.named and not inputs.get(kind.named):
            inputs[kind.named] = _auto_name(request, old)
            filled.append(kind.named)
        inputs["__defaults"] = sorted(filled)
        failures = list(_refusals(kind(self.cloud), inputs))
        if kind.tagged():
            tags = inputs.get("tags") or {}
            # An unknown tag leaves the whole unknown, as with the real provider.
            inputs["tagsAll"] = (
                UNKNOWN if wire.unknown(tags) else {**self.cloud.default_tags, **tags}
            )
        return provider_pb2.CheckResponse(
            inputs=wire.dump(inputs),
            failures=[provider_pb2.CheckFailure(property=at, reason=why) for at, why in failures],
        )

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Compare what was declared with what is."""
        kind, old, new = _kind(request.urn), _old_inputs(request), wire.load(request.news)
        found = {
            path: change
            for path, change in wire.differences(old, new)
            if not path.startswith("__") and _top(path) not in request.ignoreChanges
        }
        replaces = sorted(path for path in found if _replaces(kind, path))
        response = provider_pb2.DiffResponse
        return provider_pb2.DiffResponse(
            changes=response.DIFF_SOME if found else response.DIFF_NONE,
            diffs=sorted({_top(path) for path in found}),
            replaces=sorted({_top(path) for path in replaces}),
            detailedDiff={
                path: _property_diff(change, path in replaces) for path, change in found.items()
            },
            hasDetailedDiff=True,
            deleteBeforeReplace=bool(replaces) and _in_the_way(kind, old, new),
        )

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Make a resource; one that cannot be finished is reported with its id."""
        inputs = wire.load(request.properties)
        kind = _kind(request.urn)(self._cloud(inputs))
        if request.preview:
            return provider_pb2.CreateResponse(properties=wire.dump(_foreseen(kind, inputs)))
        with self._injected("create", request.urn):
            look_up(kind, inputs)
            with tagging(inputs.get("tagsAll") or {}):
                id_ = kind.create(inputs)
            try:
                self._configure(kind, id_, {}, inputs)
                outputs = _outputs(kind, id_, inputs)
            except (ClientError, BotoCoreError, Refused) as error:
                _half_made(context, id_, inputs, _said(error, kind.token))
        return provider_pb2.CreateResponse(id=id_, properties=wire.dump(outputs))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Look at a resource as it is; an empty answer says that it is gone."""
        inputs, state = wire.load(request.inputs), wire.load(request.properties)
        kind = _kind(request.urn)(self._cloud(inputs or state))
        try:
            with self._injected("read", request.urn):
                outputs = _outputs(kind, request.id, {})
        except Exception as error:
            if is_gone(error):
                return provider_pb2.ReadResponse()
            raise
        found = _declared(kind, inputs, outputs, self.cloud.default_tags)
        guides = {name: state[name] for name in kind.guides if name in state}
        return provider_pb2.ReadResponse(
            id=request.id,
            inputs=wire.dump(found),
            properties=wire.dump({**guides, **outputs, **_tags_of(found)}),
        )

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Change what exists."""
        old, new = _old_inputs(request), wire.load(request.news)
        kind = _kind(request.urn)(self._cloud(new))
        if request.preview:
            moving = dict.fromkeys(kind.moving, UNKNOWN)
            return provider_pb2.UpdateResponse(
                properties=wire.dump({**wire.load(request.olds), **moving, **new})
            )
        with self._injected("update", request.urn):
            look_up(kind, new)
            self._configure(kind, request.id, old, new)
            outputs = _outputs(kind, request.id, new)
        return provider_pb2.UpdateResponse(properties=wire.dump(outputs))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Delete what exists; what is gone already is as good."""
        state = wire.load(request.properties)
        kind = _kind(request.urn)(self._cloud(state))
        with self._injected("delete", request.urn):
            try:
                kind.delete(request.id, state)
            except Exception as error:
                if not is_gone(error):
                    raise
            if kind.beside:
                kind.kept.delete(request.id)
        return empty_pb2.Empty()

    def _cloud(self, properties: Properties) -> Cloud:
        region = properties.get("region")
        return self.cloud.elsewhere(region) if region and region != UNKNOWN else self.cloud

    @contextlib.contextmanager
    def _injected(self, action: str, urn: str) -> Iterator[None]:
        injected = faults.injected()
        if injected is None:
            yield
            return
        with injected.around(action, _token(urn), urn.split("::")[-1]):
            yield

    def _configure(self, kind: Kind, id_: str, old: Properties, new: Properties) -> None:
        kind.configure(id_, old, new)
        if kind.beside:
            kind.kept.write(id_, {name: new[name] for name in kind.beside if name in new})
        if kind.tagged():
            had, has = old.get("tagsAll") or {}, new.get("tagsAll") or {}
            gone = sorted(set(had) - set(has))
            if had != has:
                kind.retag(id_, gone, has)


class Errors(grpc.ServerInterceptor):  # type: ignore[misc]
    """Turns what the provider raises into the message that the engine shows."""

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Wrap a method."""
        handler = continuation(details)
        if handler is None or handler.unary_unary is None:
            return handler

        def answer(request: Any, context: Any) -> Any:
            token = _token(request.urn) if getattr(request, "urn", "") else "aws"
            try:
                return handler.unary_unary(request, context)
            except (ClientError, BotoCoreError, Refused) as error:
                context.abort(grpc.StatusCode.UNKNOWN, _said(error, token))
            except NotImplementedError as error:  # of the protocol: the engine goes without
                context.abort(grpc.StatusCode.UNIMPLEMENTED, str(error))

        return grpc.unary_unary_rpc_method_handler(
            answer, handler.request_deserializer, handler.response_serializer
        )


def _said(error: Exception, token: str) -> str:
    """Return an error as the real provider words it."""
    if not isinstance(error, ClientError):
        return str(error)
    module = token.split("/")[0].rpartition(":")[2]
    service = "EC2" if module in ("ec2", "ebs", "vpc") else module.upper()
    said = error.response["Error"]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    return (
        f"operation error {service}: {error.operation_name}, https response error "
        f"StatusCode: {status}, api error {said['Code']}: {said.get('Message', '')}"
    )


def _half_made(context: Any, id_: str, inputs: Properties, reason: str) -> None:
    """End a Create so that the engine records what exists, and tries to finish it next time."""
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=id_, properties=wire.dump(inputs), inputs=wire.dump(inputs), reasons=[reason]
        ),
        "type.googleapis.com/",
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=reason)
    status.details.append(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, reason)


def _token(urn: str) -> str:
    return urn.split("::")[2].split("$")[-1]


def _kind(urn: str) -> type[Kind]:
    token = _token(urn)
    if token not in KINDS:
        raise Refused(f"the tests' aws provider does not serve the type {token}")
    return KINDS[token]


def _old_inputs(request: Any) -> Properties:
    return wire.load(request.old_inputs if request.HasField("old_inputs") else request.olds)


def _settings(request: Any) -> Properties:
    """Return the provider's settings; lists and objects come as JSON text."""
    import json

    settings = wire.load(request.args)
    for name, value in settings.items():
        if isinstance(value, str) and value[:1] in ("[", "{"):
            settings[name] = json.loads(value)
        elif value in ("true", "false"):
            settings[name] = value == "true"
    return settings


def _auto_name(request: Any, old: Properties) -> str:
    """Return the name that the resource has, if it was made up; else one that no other has."""
    named = _kind(request.urn).named
    if named in old.get("__defaults", ()):
        return str(old[named])
    name = request.urn.split("::")[-1]
    return f"{name}-{hashlib.sha256(request.randomSeed).hexdigest()[:7]}"


def _refusals(kind: Kind, inputs: Properties) -> checks.Failures:
    declared = schema.read()[kind.token]
    held = {"properties": declared["inputs"], "required": declared["required"]}
    refused = False
    for failure in checks.shaped(held, inputs):
        refused = True
        yield failure
    for name in sorted(inputs.keys() & declared["inputs"].keys()):
        if name not in (*kind.served, *kind.guides, "region", "tags"):
            refused = True
            yield name, f"the tests' aws provider does not serve {name!r} of {kind.token}"
    if not refused:
        yield from checks.tags(inputs.get("tags") or {})
        known = wire.known(inputs)
        kind.pending = frozenset(inputs.keys() - known.keys())
        yield from kind.check(known)


def _top(path: str) -> str:
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _replaces(kind: type[Kind], path: str) -> bool:
    plain = re.sub(r"\[\d+\]", "", path)
    return any(plain == one or plain.startswith(f"{one}.") for one in (*kind.replaces, "region"))


def _property_diff(change: str, replaces: bool) -> Any:
    name = change.upper() + ("_REPLACE" if replaces else "")
    kind = provider_pb2.PropertyDiff.Kind.Value(name)
    return provider_pb2.PropertyDiff(kind=kind, inputDiff=True)


def _in_the_way(kind: type[Kind], old: Properties, new: Properties) -> bool:
    """Whether the predecessor has the name, or the place, that its successor is to have."""
    made_up = kind.named in new.get("__defaults", ())
    same = bool(kind.named) and old.get(kind.named) == new.get(kind.named)
    return kind.replaced_first or (same and not made_up)


def _foreseen(kind: Kind, inputs: Properties) -> Properties:
    outputs = schema.read()[kind.token]["outputs"]
    unknown = dict.fromkeys((*outputs, *kind.chosen), UNKNOWN)
    region = {} if kind.everywhere else {"region": kind.cloud.region}
    return {**region, **unknown, **_plain(inputs)}


def _plain(properties: Properties) -> Properties:
    """Return the properties without what the provider notes for itself."""
    return {name: one for name, one in properties.items() if not name.startswith("__")}


def _outputs(kind: Kind, id_: str, inputs: Properties) -> Properties:
    """Return what AWS says of a resource, and what it has no notion of."""
    found = kind.read(id_)
    if kind.beside:
        found |= kind.kept.read(id_) or {}
    if not kind.everywhere:
        found["region"] = kind.cloud.region
    return {**_plain(inputs), **found, **({"tags": inputs["tags"]} if "tags" in inputs else {})}


def _tags_of(inputs: Properties) -> Properties:
    return {"tags": inputs["tags"]} if "tags" in inputs else {}


def _declared(
    kind: Kind, inputs: Properties, outputs: Properties, default_tags: dict[str, str]
) -> Properties:
    """Return the inputs that would be declared for what there is now."""
    held = schema.read()[kind.token]["inputs"]
    known = inputs or {
        name: outputs[name]
        for name in kind.served
        if outputs.get(name) is not None and name not in kind.chosen
    }
    found: Properties = {}
    for name, value in known.items():
        is_map = isinstance(held.get(name), dict) and "map" in held[name]
        if name in kind.served and name in outputs:
            found[name] = wire.as_declared(value, outputs[name], is_map)
        elif name not in kind.served and name not in ("tags", "tagsAll"):
            found[name] = value  # what guides the provider only, or the region
    if kind.tagged():
        found["tagsAll"] = outputs.get("tagsAll") or {}
        own, declared = dict(found["tagsAll"]), inputs.get("tags") or {}
        for key, value in default_tags.items():
            if own.get(key) == value and key not in declared:
                del own[key]
        if own or "tags" in inputs:
            found["tags"] = own
    return found
