"""A publication as `rpms.lock.yaml`: Konflux, rpm-lockfile-prototype and Hermeto read it.

Sources: the models of hermeto's core/package_managers/rpm/redhat.py, and what
rpm-lockfile-prototype writes (https://github.com/konflux-ci/rpm-lockfile-prototype).
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from gm_analytics.mirror.client_file import ID
from gm_analytics.mirror.lock import Locked
from gm_analytics.operations.exported import Exported

_OLDER = re.compile(r"i[3-6]86")
_LEVELS = re.compile(r"x86_64_v[2-9]")


def text(exported: Exported) -> str:
    """Give the file: all packages under the one architecture that a mirror is of."""
    packages = sorted(exported.lock.packages, key=lambda package: package.file)
    listed = {
        "arch": _arch(exported),
        "packages": [_package(exported, package) for package in packages],
        "source": [],
        "module_metadata": [],
    }
    whole = {"lockfileVersion": 1, "lockfileVendor": "redhat", "arches": [listed]}
    return f"---\n{yaml.safe_dump(whole, sort_keys=False, width=10_000)}"


def _arch(exported: Exported) -> str:
    known = {package.package.arch for package in exported.lock.packages} - {"noarch"}
    newest = sorted({_LEVELS.sub("x86_64", arch) for arch in known if not _OLDER.fullmatch(arch)})
    return exported.arch or next(iter((*newest, *sorted(known))), "noarch")


def _package(exported: Exported, locked: Locked) -> dict[str, Any]:
    package, source = locked.package, exported.header(locked).source
    evr = package.evr.removeprefix("0:")
    found = {
        "url": exported.url(locked),
        "repoid": ID,
        "size": package.size,
        "checksum": f"sha256:{package.sha256}",
        "name": package.name,
        "evr": evr,
    }
    return found | ({"sourcerpm": source} if source else {})
