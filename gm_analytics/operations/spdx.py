"""A publication as an SBOM in SPDX 2.3 (JSON)."""

from __future__ import annotations

import io

from license_expression import ExpressionError, LicenseExpression, get_spdx_licensing
from spdx_tools.spdx.model import (
    Actor,
    ActorType,
    Checksum,
    ChecksumAlgorithm,
    CreationInfo,
    Document,
    ExternalPackageRef,
    ExternalPackageRefCategory,
    ExtractedLicensingInfo,
    Package,
    Relationship,
    RelationshipType,
    SpdxNoAssertion,
)
from spdx_tools.spdx.writer.json.json_writer import write_document_to_stream

from gm_analytics.mirror.lock import Locked
from gm_analytics.operations.exported import Exported
from gm_analytics.operations.purls import TOOL, purl, wanted_by

_CATEGORY = '"referenceCategory": "PACKAGE_MANAGER"'
_DOCUMENT, _ROOT = "SPDXRef-DOCUMENT", "SPDXRef-publication"


def text(exported: Exported) -> str:
    """Give the document."""
    lock, licenses = exported.lock, Licenses()
    title = f"{lock.mirror} publication {lock.publication}"
    packages = [
        _package(exported, locked, f"SPDXRef-{number}", licenses)
        for number, locked in enumerate(lock.packages, 1)
    ]
    info = CreationInfo(
        "SPDX-2.3",
        _DOCUMENT,
        title,
        f"{exported.base_url}spdx/{exported.uuid}",
        [Actor(ActorType.TOOL, TOOL)],
        exported.created,
    )
    root = Package(
        _ROOT,
        lock.mirror,
        SpdxNoAssertion(),
        version=str(lock.publication),
        files_analyzed=False,
        homepage=exported.base_url,
    )
    has = [Relationship(_ROOT, RelationshipType.CONTAINS, one.spdx_id) for one in packages]
    described = Relationship(_DOCUMENT, RelationshipType.DESCRIBES, _ROOT)
    document = Document(info, packages=[root, *packages], relationships=[described, *has])
    document.extracted_licensing_info = licenses.extracted
    stream = io.StringIO()
    write_document_to_stream(document, stream, validate=False)  # minutes for some thousands
    # The library writes it as the enumeration of its model has it, the schema has a hyphen.
    return stream.getvalue().replace(_CATEGORY, _CATEGORY.replace("_", "-"))


def _package(exported: Exported, locked: Locked, ref: str, licenses: Licenses) -> Package:
    header, package = exported.header(locked), locked.package
    entries, vendor = wanted_by(locked), header.vendor
    return Package(
        ref,
        package.name,
        exported.url(locked),
        version=package.evr.removeprefix("0:"),
        file_name=locked.file,
        supplier=Actor(ActorType.ORGANIZATION, vendor) if vendor else SpdxNoAssertion(),
        files_analyzed=False,
        checksums=[Checksum(ChecksumAlgorithm.SHA256, locked.sha256)],
        source_info=f"built from {header.source}" if header.source else None,
        license_concluded=SpdxNoAssertion(),
        license_declared=licenses.of(header.license),
        copyright_text=SpdxNoAssertion(),
        summary=header.summary or None,
        comment=f"wanted by {', '.join(entries)}" if entries else None,
        external_references=[
            ExternalPackageRef(
                ExternalPackageRefCategory.PACKAGE_MANAGER,
                "purl",
                purl(exported, locked).to_string(),
            )
        ],
    )


class Licenses:
    """Licences as SPDX knows them, and those in an RPM's own words (`GPLv2+`) beside them."""

    def __init__(self) -> None:
        self._known = get_spdx_licensing()
        self._told: dict[str, LicenseExpression] = {}
        self._own: dict[str, str] = {}

    def of(self, told: str) -> LicenseExpression | SpdxNoAssertion:
        """Give the expression for what a header says."""
        if not told:
            return SpdxNoAssertion()
        if told not in self._told:
            self._told[told] = self._parsed(told)
        return self._told[told]

    def _parsed(self, told: str) -> LicenseExpression:
        try:
            return self._known.parse(told, validate=True)
        except ExpressionError:
            reference = self._own.setdefault(told, f"LicenseRef-RPM-{len(self._own) + 1}")
            return self._known.parse(reference)

    @property
    def extracted(self) -> list[ExtractedLicensingInfo]:
        """What the references stand for."""
        return [
            ExtractedLicensingInfo(reference, told, license_name=told)
            for told, reference in self._own.items()
        ]
