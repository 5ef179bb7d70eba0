"""Images that an environment names by digest: official ones, or a firm's own."""

from __future__ import annotations

import re

from opsctl.errors import UsageError
from opsctl.images.configuration import Parent
from opsctl.images.definition import base
from opsctl.images.engine import Engine, EngineRefused, errors

_BY_DIGEST = re.compile(r"([^\s@]+@)?sha256:[0-9a-f]{64}")


def pulled(host: Engine, reference: str) -> str:
    """Make an engine hold an image named by digest, from its registry where it must; return its id.

    One named by its id alone must be there. Raises `UsageError` for a reference without a
    digest, `EngineRefused` where it cannot be had.
    """
    if _BY_DIGEST.fullmatch(reference) is None:
        raise UsageError(
            f"{reference} does not name an image by digest",
            hint="write NAME@sha256:…; docker image inspect shows it as RepoDigests",
        )
    found = host.find(reference)
    if found is None and reference.startswith("sha256:"):
        raise EngineRefused(
            f"the engine has no image {reference}",
            hint="give it the image: docker load, or docker import; opsctl images load carries one",
        )
    if found is None:
        try:
            with errors(host.address):
                host.client.images.pull(reference)
        except EngineRefused as error:
            raise EngineRefused(
                f"{reference} cannot be had: {error.message}",
                hint="see that the engine reaches the registry: docker pull; without one leave "
                "trading:images out of the environment, and images are made from packages",
            ) from error
        found = host.find(reference)
    if found is None:
        raise EngineRefused(f"the engine pulled {reference} and does not hold it")
    return found.id


def parent(host: Engine, reference: str) -> Parent:
    """Return an official image as what the apps' images stand on; it must run our Python.

    Raises `EngineRefused` where it does not.
    """
    pulled(host, reference)
    found = host.find(reference)
    assert found is not None  # noqa: S101 - it was pulled
    python = f"python{base().python}"
    try:
        with errors(host.address):
            host.client.containers.run(
                reference, [python, "-c", ""], remove=True, network_disabled=True, entrypoint=""
            )
    except EngineRefused as error:
        raise EngineRefused(
            f"{reference} does not run {python}: {error.message}",
            hint=f"name an image that has {python} on its PATH, glibc {base().glibc} or later",
        ) from error
    variables = dict(variable.partition("=")[::2] for variable in found.environment)
    return Parent(
        reference=reference,
        diff_ids=found.diff_ids,
        path=variables.get("PATH", Parent().path),
        python=(python,),
    )
