"""What is stored is JSON, and nothing else is decoded.

DBOS pickles by default, and it decodes each row as the row's own `serialization` column says,
whatever serializer it was given: whoever can write one row could run code in every process that
reads it. `refuse_pickles` closes that for this process, and `decode` is how the engine itself
reads. `portable_json`, DBOS's other format, stays: DBOS keeps the end of a sleep in it, and it is
plain JSON.

A large value is packed: a closure of some hundred packages goes through several steps of an
update, and its JSON says the same words for each package.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable
from typing import Any, NoReturn

from dbos import Serializer, _core, _serialization

from gm_analytics import stored
from gm_analytics.errors import ForeignFormat, GmError, StoreUnavailable

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
_PICKLED_NONE = "Ti4="


class JsonSerializer(Serializer):
    """Everything that is stored is JSON, errors of the service included."""

    def name(self) -> str:
        """Name the format in the database."""
        return FORMAT

    def serialize(self, data: Any) -> str:
        """Give JSON text."""
        if isinstance(data, BaseException):
            data = {_ERROR: GmError.wrap(data).to_json()}
        return _packed(json.dumps(data))

    def deserialize(self, serialized_data: str) -> Any:
        """Read what `serialize` wrote, or a version that packed nothing.

        Raises:
            ValueError: it is nothing of the kind.

        """
        data = json.loads(serialized_data)
        if isinstance(data, dict) and isinstance(packed := data.get(_PACKED), str):
            data = json.loads(_unpacked(packed))
        if isinstance(data, dict) and isinstance(data.get(_ERROR), dict):
            return GmError.from_json(data[_ERROR])
        return data


JSON = JsonSerializer()


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
        return JSON.deserialize(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ForeignFormat(DAMAGED) from error


def refuse_pickles() -> None:
    """Have DBOS decode and write no pickle in this process, and see that it does not.

    A row that cannot be decoded ends as failed. DBOS would write that failure in the row's own
    format; in one that it does not know it could not, and the row would hold its queue for ever.

    Raises:
        StoreUnavailable: this version of DBOS decodes in a way that is not closed.

    """
    for method in ("deserialize", "serialize"):
        setattr(_serialization.DefaultSerializer, method, _refuse)
    for name, ours in (("deserialize_args", _arguments), (_FAILURE_WRITER, _serialize_failure)):
        setattr(_core, name, ours)
    for decoder in (
        _serialization.deserialize_value,
        _serialization.deserialize_args,
        _serialization.deserialize_exception,
    ):
        try:
            decoder(_PICKLED_NONE, "py_pickle", JSON)
        except ForeignFormat:
            continue
        raise StoreUnavailable("closing DBOS's decoder", f"{decoder.__name__} takes pickles")


def _refuse(*_: object) -> NoReturn:
    raise ForeignFormat(_serialization.DBOSDefaultSerializer.name())


def _arguments(text: str, written_as: str | None, _: Serializer) -> Any:
    """Give what a workflow is called with. Anything else would hold its queue for ever."""
    value = decode(text, written_as)
    if not isinstance(value, dict) or not isinstance(value.get("args"), list):
        raise ForeignFormat(DAMAGED)
    return {"args": value["args"], "kwargs": value.get("kwargs") or {}}


_FAILURE_WRITER = "_serialize_exception_for_persistence"
_as_dbos_does: Callable[[Exception, str | None, Serializer], str] = getattr(_core, _FAILURE_WRITER)


def _serialize_failure(failure: Exception, written_as: str | None, serializer: Serializer) -> str:
    if written_as in {None, FORMAT, _serialization.DBOSPortableJSON.name()}:
        return _as_dbos_does(failure, written_as, serializer)
    return serializer.serialize(failure)
