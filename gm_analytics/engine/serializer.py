"""What DBOS stores is JSON, and it decodes nothing else.

DBOS pickles by default, and it decodes each row as the row's own `serialization` column says,
whatever serializer it was given: whoever can write one row could run code in every process that
reads it. `refuse_pickles` closes that for this process, and `codec` is how the engine itself
reads. `portable_json`, DBOS's other format, stays: DBOS keeps the end of a sleep in it, and it is
plain JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from dbos import Serializer, _core, _serialization

from gm_analytics.engine.codec import DAMAGED, FORMAT, decode, deserialize, serialize
from gm_analytics.errors import ForeignFormat, StoreUnavailable

_PICKLED_NONE = "Ti4="


class JsonSerializer(Serializer):
    """Everything that is stored is JSON, errors of the service included."""

    def name(self) -> str:
        """Name the format in the database."""
        return FORMAT

    def serialize(self, data: Any) -> str:
        """Give JSON text."""
        return serialize(data)

    def deserialize(self, serialized_data: str) -> Any:
        """Read what `serialize` wrote; may raise `ValueError`."""
        return deserialize(serialized_data)


JSON = JsonSerializer()


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
