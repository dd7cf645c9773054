"""Versions in rpm's order. No I/O."""

from __future__ import annotations

import re
from functools import cmp_to_key
from typing import Protocol


class Versioned(Protocol):
    """A package, or a row of a table of packages."""

    @property
    def name(self) -> str:
        """As `Package.name`."""
        ...

    @property
    def arch(self) -> str:
        """As `Package.arch`."""
        ...

    @property
    def evr(self) -> str:
        """As `Package.evr`."""
        ...


def compare_evr(left: str, right: str) -> int:
    """Order two `[epoch:]version[-release]` strings as rpm does: -1, 0 or 1."""
    (epoch, version, release), (epoch2, version2, release2) = _split(left), _split(right)
    return (
        (epoch > epoch2) - (epoch < epoch2)
        or compare_version(version, version2)
        or compare_version(release, release2)
    )


def _split(evr: str) -> tuple[int, str, str]:
    epoch, _, rest = evr.rpartition(":")
    version, _, release = rest.partition("-")
    return int(epoch or 0), version, release


_SEGMENT = re.compile(r"[0-9]+|[A-Za-z]+|~|\^")


def compare_version(left: str, right: str) -> int:
    """Order two versions or releases as rpm does: -1, 0 or 1.

    Source: rpmio/rpmvercmp.cc. Segments are numbers, words, `~` (older than the end) and `^`
    (newer than the end, older than any other segment).
    """
    ours, theirs = _SEGMENT.findall(left), _SEGMENT.findall(right)
    for one, other in zip(ours, theirs, strict=False):
        if one != other and (order := _compare_segment(one, other)):
            return order
    if len(ours) == len(theirs):
        return 0
    longer, sign = (ours, 1) if len(ours) > len(theirs) else (theirs, -1)
    return -sign if longer[min(len(ours), len(theirs))] == "~" else sign


def _compare_segment(one: str, other: str) -> int:
    for mark in ("~", "^"):
        if mark in {one, other}:
            return -1 if one == mark else 1
    if one.isdigit() and other.isdigit():
        return (int(one) > int(other)) - (int(one) < int(other))
    if one.isdigit() != other.isdigit():
        return 1 if one.isdigit() else -1
    return (one > other) - (one < other)


evr_key = cmp_to_key(compare_evr)
"""A sort key for `[epoch:]version[-release]` strings."""
