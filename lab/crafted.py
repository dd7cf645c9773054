"""RPM files that no rpmbuild would make: what a hostile upstream may serve."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

from lab.processes import LabError

_LEAD = 96
_INTRO = 16
"""Bytes of a header before its index: magic, reserved, the counts of entries and of data."""
_ENTRY = 16


def _end_of_header(content: bytes, start: int) -> int:
    entries, size = struct.unpack(">II", content[start + 8 : start + _INTRO])
    return int(start + _INTRO + _ENTRY * entries + size)


def patch(path: Path, *changes: tuple[bytes, bytes]) -> Path:
    """Replace bytes of an RPM's header by as many others, and mend the digests over it.

    Raises:
        LabError: the header does not hold what is to be replaced.

    """
    content = path.read_bytes()
    start = (_end_of_header(content, _LEAD) + 7) // 8 * 8
    end = _end_of_header(content, start)
    lead, header, payload = content[:start], content[start:end], content[end:]
    changed = header
    for old, new in changes:
        if len(old) != len(new) or old not in changed:
            raise LabError(f"patching {path.name}: {old!r} by {new!r}")
        changed = changed.replace(old, new)
    digests = [
        (hashlib.sha1(header).hexdigest(), hashlib.sha1(changed).hexdigest()),  # noqa: S324
        (hashlib.sha256(header).hexdigest(), hashlib.sha256(changed).hexdigest()),
    ]
    for before, after in digests:
        lead = lead.replace(before.encode(), after.encode())
    old_md5, new_md5 = (
        hashlib.md5(part + payload).digest()  # noqa: S324
        for part in (header, changed)
    )
    fresh = path.with_name(f".{path.name}")
    fresh.write_bytes(lead.replace(old_md5, new_md5) + changed + payload)
    fresh.chmod(0o644)
    fresh.replace(path)
    return path
