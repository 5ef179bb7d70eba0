"""The bill of materials of an image (CycloneDX): what is in its layers, with versions."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path

from opsctl.images.definition import AppImage, ServerImage
from opsctl.images.layers import Layer
from opsctl.images.source import Commit
from opsctl.state import images_folder

_NAMESPACE = uuid.UUID("6f0cfb4c-6f1d-5c8e-9d0a-3f3f6d1c2b10")


def place(name: str, id_: str) -> Path:
    """Return where the bill of an image lies."""
    return images_folder() / "sbom" / f"{name}-{id_.removeprefix('sha256:')[:12]}.cdx.json"


def write(
    image: AppImage | ServerImage, id_: str, layers: Sequence[Layer], version: str, commit: Commit
) -> Path:
    """Write the bill of an image beside the others, where it is not there; return its file."""
    file = place(image.name, id_)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        partial.write_text(text(image, id_, layers, version, commit), encoding="utf-8")
        partial.replace(file)
    return file


def text(
    image: AppImage | ServerImage, id_: str, layers: Sequence[Layer], version: str, commit: Commit
) -> str:
    """Return the bill of an image as CycloneDX JSON; the same image has the same one."""
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    licence = LicenseFactory()
    whole = Component(
        type=ComponentType.CONTAINER,
        name=image.name,
        version=version,
        bom_ref=id_,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=id_.removeprefix("sha256:"))],
        licenses=[licence.make_from_string(image.licenses)],
    )
    parts = {
        part.purl: Component(
            type=ComponentType.APPLICATION if part.name == image.name else ComponentType.LIBRARY,
            name=part.name,
            version=part.version,
            purl=PackageURL.from_string(part.purl),
            bom_ref=part.purl,
            licenses=[licence.make_from_string(words) for words in part.licenses[:1]],
        )
        for layer in layers
        for part in layer.components
    }
    bill = Bom(
        components=parts.values(),
        serial_number=uuid.uuid5(_NAMESPACE, id_),
        metadata=BomMetaData(component=whole, timestamp=commit.at),
    )
    bill.register_dependency(whole, list(parts.values()))
    return JsonV1Dot6(bill).output_as_string(indent=2) + "\n"
