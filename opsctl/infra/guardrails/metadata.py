"""The rule on the metadata service of hosts."""

from __future__ import annotations

from collections.abc import Iterator

from opsctl.infra.guardrails import sources
from opsctl.infra.guardrails.reading import HOST, TEMPLATE, at, kept, unknown
from opsctl.infra.guardrails.rule import Facts, Rule, Severity, Wrong
from opsctl.infra.previewed import Preview


def _tokens(preview: Preview, _: Facts) -> Iterator[Wrong]:
    for one in kept(preview, HOST, TEMPLATE):
        templated = one.type == HOST and one.inputs.get("launchTemplate") is not None
        if templated and one.inputs.get("metadataOptions") is None:
            continue  # as its template says, which is judged by itself
        if at(one.inputs, "metadataOptions.httpEndpoint") == "disabled":
            continue
        said = at(one.inputs, "metadataOptions.httpTokens")
        if said != "required":
            yield Wrong(one, "answers without a token (IMDSv1)", unknown=unknown(said))


RULES = (
    Rule(
        "AWS-IMDS-001",
        "The metadata service asks for a token (IMDSv2)",
        Severity.REFUSE,
        "Without one, a program that can be made to fetch an address gives the role's keys away.",
        sources.IMDS,
        "Set `metadataOptions.httpTokens: required` on the launch template or the host.",
        _tokens,
    ),
)
