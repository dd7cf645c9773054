"""Package URLs of RPMs, and what else the two kinds of SBOM have in common.

Source: https://github.com/package-url/purl-spec (types/rpm); the namespace is the vendor, as
Hermeto and scanners write it.
"""

from __future__ import annotations

import re

from packageurl import PackageURL

from gm_analytics.mirror.lock import Locked
from gm_analytics.operations.exported import Exported

_VENDORS = {
    "red hat": "redhat", "centos": "centos", "fedora": "fedora", "rocky": "rocky",
    "almalinux": "almalinux", "oracle": "oracle", "opensuse": "opensuse", "suse": "suse",
    "amazon": "amzn",
}  # fmt: skip
TOOL = "gm_analytics"


def purl(exported: Exported, locked: Locked) -> PackageURL:
    """Give the package URL of an RPM."""
    package, header = locked.package, exported.header(locked)
    qualifiers = {
        "arch": package.arch,
        "checksum": f"sha256:{package.sha256}",
        **({"epoch": str(package.epoch)} if package.epoch else {}),
        **({"upstream": header.source} if header.source else {}),
    }
    version = f"{package.version}-{package.release}"
    return PackageURL("rpm", namespace(header.vendor), package.name, version, qualifiers)


def namespace(vendor: str) -> str | None:
    """Give the namespace of a vendor, by what an RPM's header calls it."""
    folded = vendor.casefold()
    known = next((name for words, name in _VENDORS.items() if words in folded), "")
    return known or re.sub(r"[^a-z0-9.]+", "-", folded).strip("-") or None


def wanted_by(locked: Locked) -> list[str]:
    """Name the manifest's entries that wanted a package or, of an older set, its specs."""
    return list(locked.wanted_by or locked.wanted)
