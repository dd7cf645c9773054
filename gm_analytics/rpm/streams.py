"""Module streams as specs, versions and releases tell them, without their documents. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gm_analytics.rpm.grammar import MODULE, PROFILE, STREAM
from gm_analytics.rpm.versions import Versioned

_ASKED = re.compile(rf"@({MODULE.ere})(?::({STREAM.ere}))?(?:/({PROFILE.ere}))?")


@dataclass(frozen=True)
class Asked:
    """What a spec asks of a module: `@name`, `@name:stream`, `@name:stream/profile`."""

    module: str
    stream: str = ""
    """Empty for upstream's default."""
    profile: str = ""
    """Empty for upstream's default ones."""

    @classmethod
    def of(cls, spec: str) -> Asked | None:
        """Read a spec; None of one that can be no module's. `@name` may be a group's as well."""
        found = _ASKED.fullmatch(spec)
        return cls(found[1], found[2] or "", found[3] or "") if found else None

    @property
    def is_of_a_module(self) -> bool:
        """Whether it cannot be a group's."""
        return bool(self.stream or self.profile)


def conflicts(specs: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give pairs of specs that want two streams of one module: the first one, and another."""
    first: dict[str, tuple[str, str]] = {}
    for spec in specs:
        asked = Asked.of(spec)
        if asked and asked.stream:
            stream, earlier = first.setdefault(asked.module, (asked.stream, spec))
            if stream != asked.stream:
                yield earlier, spec


_PLATFORMS = (
    (re.compile(r"([89]|1[0-9])(?:\..*)?"), "platform:el"),
    (re.compile(r"([2-9][0-9])"), "platform:f"),
    (re.compile(r"(20[2-9][0-9])(?:\..*)?"), "platform:al"),
)


def platform_of(releasever: str) -> str:
    """Give the platform of a release of Enterprise Linux, Fedora or Amazon Linux; else nothing.

    dnf reads it from the os-release of the system that it installs into; an empty one has none.
    """
    found = ((form.fullmatch(releasever), name) for form, name in _PLATFORMS)
    return next((f"{name}{match[1]}" for match, name in found if match), "")


_OF_A_BUILD = re.compile(r"\.module[+_]")


def looks_modular(package: Versioned) -> bool:
    """Tell whether a version is as those of modules are (`1-1.module+el9+…`), without its RPM."""
    return _OF_A_BUILD.search(package.evr) is not None


def artifact(package: Versioned) -> str:
    """Name a package as the documents do: with its epoch, though that be 0."""
    epoch, _, rest = package.evr.rpartition(":")
    return f"{package.name}-{epoch or 0}:{rest}.{package.arch}"
