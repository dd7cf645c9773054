"""The signatures in an RPM file, each with the bytes that it is of. No I/O.

Source: https://rpm-software-management.github.io/rpm/manual/format_v4.html
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator

from gm_analytics.errors import Malformed

_LEAD, _INTRO, _ENTRY = 96, 16, 16
_MAGIC = b"\x8e\xad\xe8\x01"
_MAX_ENTRIES = 10_000
_OF_HEADER, _OF_ALL, _OPENPGP = {267, 268}, {1002, 1005}, 278
"""Tags: DSA and RSA of the header alone, PGP and GPG of header and payload, armored ones."""


def signed(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give each signature of an RPM, with what it signs.

    Raises:
        Malformed: it is no RPM.

    """
    try:
        start, entries = _header(content, _LEAD)
        start = (start + 7) // 8 * 8
        end, _ = _header(content, start)
    except (struct.error, IndexError) as error:
        raise Malformed("an RPM file", "one that is cut short") from error
    for tag, value in entries:
        if tag in _OF_HEADER:
            yield value, content[start:end]
        elif tag in _OF_ALL:
            yield value, content[start:]
        elif tag == _OPENPGP:
            for text in value.split(b"\0"):
                yield from _armored(text, content[start:end])


def _armored(text: bytes, of: bytes) -> Iterator[tuple[bytes, bytes]]:
    try:
        if text:
            yield base64.b64decode(text, validate=True), of
    except binascii.Error:
        return


def _header(content: bytes, start: int) -> tuple[int, list[tuple[int, bytes]]]:
    """Give where a header ends, and the values of its index that may be signatures."""
    magic, entries, size = struct.unpack_from(">4s4xII", content, start)
    if magic != _MAGIC or entries > _MAX_ENTRIES:
        raise Malformed("an RPM file", "no header where one should be")
    data = start + _INTRO + _ENTRY * entries
    end = data + size
    if end > len(content):
        raise IndexError(end)
    index = [
        struct.unpack_from(">IIII", content, start + _INTRO + _ENTRY * at) for at in range(entries)
    ]
    # Binary values have a length of bytes; of texts only where they end at the latest is needed.
    found = [
        (tag, content[data + at : end if tag == _OPENPGP else data + at + count])
        for tag, _, at, count in index
        if tag in _OF_HEADER | _OF_ALL | {_OPENPGP}
    ]
    return end, found
