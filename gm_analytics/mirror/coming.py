"""How far a download is, by the lines that yum and dnf print of it. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gm_analytics.mirror.printed import MAX_LINE

_NAME = "[A-Za-z0-9_][A-Za-z0-9._+~^:-]{0,250}"
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_SIZE = r"([0-9]{1,12}(?:\.[0-9]{1,12})?) {0,2}([kKMG]?i?B?)"
# The metadata's lines have the same form, but names with a `/` (yum 3), or no number.
_CAME = (
    # yum 3, dnf 4: (3/17): nmap-7.92-1.el9.x86_64.rpm   1.2 MB/s | 5.4 MB   00:04
    re.compile(rf"\(([0-9]{{1,6}})/([0-9]{{1,6}})\): {_NAME}(?: |\Z)"),
    # dnf 5: [ 3/17] nmap-3:7.92-1.el9.x86_64   100% |   1.2 MiB/s |   5.4 MiB |  00m04s
    re.compile(rf"\[ {{0,5}}([0-9]{{1,6}})/([0-9]{{1,6}})\] {_NAME} +100% \|"),
)
# The only one of a download has no number.
_ALONE = re.compile(rf"{_NAME}\.rpm {{1,200}}[0-9]")
_OF_SIZE = re.compile(rf"\| {{1,20}}{_SIZE} {{1,20}}\|? {{0,20}}[0-9]{{2}}[:m]")
_TO_COME = (
    re.compile(rf"Total download size: {_SIZE}"),  # yum 3, dnf 4
    re.compile(rf"Total size of inbound packages is .{{1,40}}\. Need to download {_SIZE}"),
)


@dataclass(frozen=True)
class Came:
    """A package is there: the so manieth, of how many, and its size in bytes, 0 if not told."""

    done: int
    total: int
    size: int


def came(line: str) -> Came | None:
    """Say which package is there, if a line of yum's output is about one."""
    cut = line[:MAX_LINE]
    for found in (form.match(cut) for form in _CAME):
        if found and 0 < int(found[1]) <= int(found[2]):
            size = 0 if "] Total " in cut else _bytes(_OF_SIZE.search(cut, found.end() - 1))
            return Came(int(found[1]), int(found[2]), size)
    return Came(1, 1, _bytes(_OF_SIZE.search(cut))) if _ALONE.match(cut) else None


def to_come(line: str) -> int:
    """Give how many bytes will be downloaded, if a line of yum's output says so; else 0."""
    cut = line[:MAX_LINE]
    return max(_bytes(form.match(cut)) for form in _TO_COME)


def _bytes(found: re.Match[str] | None) -> int:
    if found is None:
        return 0
    unit = found[2].upper().removesuffix("B").removesuffix("I")
    return int(float(found[1]) * _UNITS[unit])
