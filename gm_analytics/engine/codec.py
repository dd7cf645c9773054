"""What is stored is JSON, and nothing else is decoded; DBOS is told so by `serializer`.

A large value is packed: a closure of some hundred packages goes through several steps of an
update, and its JSON says the same words for each package.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any

from gm_analytics import stored
from gm_analytics.errors import ForeignFormat, GmError

FORMAT = "gm_analytics_json"
"""The format's name in the database, a row's own: of what steps gave, of updates and outcomes. One
that an earlier version would misread is `gm_analytics_json_2`."""
_NEWER = re.compile(f"{FORMAT}_([0-9]{{1,4}})")
DAMAGED = "damaged JSON"
_ERROR = "__error__"
_PACKED = "__zlib__"
"""The one key of a packed value: its JSON by zlib, in base64."""
PACKED_FROM = 2000
"""Characters of JSON from which a value is packed; what is small can be read with any tool."""
MAX_UNPACKED = 64 * 1024 * 1024
"""Bytes of JSON that a packed value may have: whoever writes the store fills no memory."""


def serialize(data: Any) -> str:
    """Give JSON text, errors of the service included."""
    if isinstance(data, BaseException):
        data = {_ERROR: GmError.wrap(data).to_json()}
    return _packed(json.dumps(data))


def deserialize(text: str) -> Any:
    """Read what `serialize` wrote, or a version that packed nothing.

    Raises:
        ValueError: it is nothing of the kind.

    """
    data = json.loads(text)
    if isinstance(data, dict) and isinstance(packed := data.get(_PACKED), str):
        data = json.loads(_unpacked(packed))
    if isinstance(data, dict) and isinstance(data.get(_ERROR), dict):
        return GmError.from_json(data[_ERROR])
    return data


def _packed(text: str) -> str:
    """Give a large text packed, if that is smaller."""
    if len(text) < PACKED_FROM:
        return text
    packed = base64.b64encode(zlib.compress(text.encode("ascii"))).decode("ascii")
    return min(json.dumps({_PACKED: packed}), text, key=len)


def _unpacked(packed: str) -> bytes:
    """Give the text of a packed value.

    Raises:
        ValueError: it is none, is cut short, or has more than `MAX_UNPACKED` bytes.

    """
    inflate = zlib.decompressobj()
    try:
        text = inflate.decompress(base64.b64decode(packed, validate=True), MAX_UNPACKED)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not inflate.eof:
        raise ValueError("a packed value that is cut short, or too large")
    return text


def decode(text: str | None, written_as: str | None) -> Any:
    """Read a stored value; None, as older versions of DBOS have it, is the service's own format.

    Raises:
        ForeignFormat: it was written in another one, or is not what it says.
        NewerFormat: a newer gm-analytics wrote it.

    """
    if text is None:
        return None
    if isinstance(written_as, str) and (newer := _NEWER.fullmatch(written_as)):
        stored.refuse_number("a value in the database", int(newer[1]), 1)
    if written_as not in {None, FORMAT}:
        raise ForeignFormat(str(written_as))
    try:
        return deserialize(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ForeignFormat(DAMAGED) from error
