"""What is stored: large values are packed, and what is read back is bounded and as it was."""

from __future__ import annotations

import base64
import json
import zlib

import pytest

from gm_analytics.engine import codec
from gm_analytics.engine.codec import PACKED_FROM, decode, deserialize, serialize
from gm_analytics.errors import ForeignFormat, Unresolvable

LARGE = [{"name": f"leaf{number:03d}", "wanted": ["tree", "nmap"]} for number in range(100)]


def packed(text: bytes) -> str:
    return json.dumps({"__zlib__": base64.b64encode(zlib.compress(text)).decode("ascii")})


@pytest.mark.parametrize("value", [LARGE, "é\U0001f600\n" * 1000, None, {}, [1, 2.5, True]])
def test_what_is_stored_is_read_back(value: object) -> None:
    assert deserialize(serialize(value)) == value


def test_a_large_value_is_packed_and_a_small_one_is_plain() -> None:
    assert len(serialize(LARGE)) < len(json.dumps(LARGE)) / 5
    small = "x" * (PACKED_FROM - 3)
    assert serialize(small) == json.dumps(small)
    assert serialize(small + "x").startswith('{"__zlib__": ')


def test_what_was_stored_before_anything_was_packed_is_read() -> None:
    assert decode(json.dumps(LARGE), codec.FORMAT) == LARGE
    assert decode(json.dumps(LARGE), None) == LARGE


def test_a_large_error_comes_back_as_itself() -> None:
    error = Unresolvable("m", ["tree"], "nothing provides it\n" * 1000)
    stored = serialize(error)
    assert len(stored) < 2000
    found = decode(stored, codec.FORMAT)
    assert isinstance(found, Unresolvable)
    assert str(found) == str(error)


@pytest.mark.parametrize(
    "text",
    [
        '{"__zlib__": "no base64!"}',
        '{"__zlib__": "bm8gemxpYg=="}',
        packed(b"no JSON"),
        packed(b"x" * 100)[:-12] + '"}',
    ],
)
def test_what_only_looks_packed_is_refused_in_words(text: str) -> None:
    with pytest.raises(ForeignFormat, match="damaged JSON"):
        decode(text, codec.FORMAT)


def test_what_unpacks_to_more_than_is_taken_fills_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(codec, "MAX_UNPACKED", 1000)
    assert decode(packed(json.dumps("x" * 998).encode()), codec.FORMAT) == "x" * 998
    with pytest.raises(ForeignFormat, match="damaged JSON"):
        decode(packed(json.dumps("x" * 999).encode()), codec.FORMAT)
