"""A publication as an SBOM in CycloneDX 1.6 (JSON)."""

from __future__ import annotations

from collections.abc import Iterator

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.model.dependency import Dependency
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion

from gm_analytics.mirror.lock import Locked
from gm_analytics.operations.exported import Exported
from gm_analytics.operations.purls import TOOL, purl, wanted_by


def text(exported: Exported) -> str:
    """Give the document."""
    lock = exported.lock
    bom = Bom(serial_number=exported.uuid)
    bom.metadata.timestamp = exported.created
    bom.metadata.tools.components.add(Component(name=TOOL, type=ComponentType.APPLICATION))
    bom.metadata.component = Component(
        name=lock.mirror,
        version=str(lock.publication),
        type=ComponentType.PLATFORM,
        bom_ref=f"{lock.mirror}/{lock.publication}",
        external_references=[_reference(ExternalReferenceType.DISTRIBUTION, exported.base_url)],
    )
    parts = [_component(exported, locked) for locked in lock.packages]
    bom.components.update(parts)
    has = [Dependency(part.bom_ref) for part in parts]  # at once: one by one takes quadratic time
    bom.dependencies.add(Dependency(bom.metadata.component.bom_ref, has))
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1)


def _component(exported: Exported, locked: Locked) -> Component:
    package, header, made = locked.package, exported.header(locked), LicenseFactory()
    license_ = [made.make_from_string(header.license)] if header.license else []
    return Component(
        name=package.name,
        version=f"{package.evr.removeprefix('0:')}",
        type=ComponentType.LIBRARY,
        bom_ref=locked.file,
        purl=purl(exported, locked),
        description=header.summary or None,
        supplier=OrganizationalEntity(name=header.vendor) if header.vendor else None,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=locked.sha256)],
        licenses=license_,
        external_references=[
            _reference(ExternalReferenceType.DISTRIBUTION, exported.url(locked)),
        ],
        properties=_properties(locked),
    )


def _reference(kind: ExternalReferenceType, address: str) -> ExternalReference:
    return ExternalReference(type=kind, url=XsUri(address))


def _properties(locked: Locked) -> Iterator[Property]:
    for entry in wanted_by(locked):
        yield Property(name=f"{TOOL}:wanted_by", value=entry)
    for spec in locked.wanted:
        yield Property(name=f"{TOOL}:spec", value=spec)
    if locked.source:
        yield Property(name=f"{TOOL}:repository", value=locked.source)
