"""What the service's host remembers of a mirror."""

from __future__ import annotations

import json
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from gm_analytics.errors import NewerFormat, SigningFailed
from gm_analytics.mirror.ledger import NAME, Ledger
from gm_analytics.mirror.seal import Known, Sealed, Statement


def raised(known: Known | None) -> Known:
    return replace(known or Known("FPR"), newest=(known.newest if known else 0) + 1)


def raise_often(home: Path) -> None:
    for _ in range(20):
        Ledger(home).change("m", raised)


def test_what_is_noted_is_found_by_the_next_process(tmp_path: Path) -> None:
    assert Ledger(tmp_path).find("m") is None
    known = Known("FPR", 7, "b" * 64, {"previews/5/packages.txt": "a" * 64})
    Ledger(tmp_path).change("m", lambda _: known)
    Ledger(tmp_path).change("other", raised)
    assert Ledger(tmp_path).find("m") == known
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    Ledger(tmp_path).change("m", lambda _: None)
    assert Ledger(tmp_path).find("m") is None
    assert Ledger(tmp_path).find("other") == Known("FPR", 1)


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    processes = [get_context("spawn").Process(target=raise_often, args=(tmp_path,)) for _ in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert Ledger(tmp_path).find("m") == Known("FPR", 40)


@pytest.mark.parametrize("text", ["", "[]", '{"m": 1}', "\0"])
def test_one_that_is_damaged_is_no_empty_one(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(SigningFailed, match="without it nothing is trusted"):
        Ledger(tmp_path).find("m")


def test_one_mirror_of_a_newer_version_stops_no_other_and_loses_nothing(tmp_path: Path) -> None:
    newer = {"key": "FPR", "newest": [1, 2], "format": 2, "colour": "red"}
    older = {"key": "FPR", "colour": "red"}
    (tmp_path / NAME).write_text(json.dumps({"newer": newer, "older": older, "bad": {"key": 1}}))
    ledger = Ledger(tmp_path)
    assert ledger.find("older") == Known("FPR")
    with pytest.raises(SigningFailed, match=r"of format 2.*install the newer gm-analytics"):
        ledger.find("newer")
    with pytest.raises(SigningFailed, match="without it nothing is trusted"):
        ledger.find("bad")
    ledger.change("m", raised)
    assert json.loads((tmp_path / NAME).read_text())["newer"] == newer


STATEMENT = Statement("m", "publication", 7, {"packages.txt": "a" * 64}, "u", ("b",), "mark")


def test_a_statement_is_read_as_it_was_written() -> None:
    assert Statement.parse(STATEMENT.text()) == STATEMENT
    newer = json.loads(STATEMENT.text()) | {"colour": "red"}
    assert Statement.parse(json.dumps(newer)) == STATEMENT, "an unknown field does not matter"
    with pytest.raises(NewerFormat, match="install the newer gm-analytics"):
        Statement.parse(json.dumps(newer | {"format": 2}))
    assert Statement.parse("{}") is None
    assert STATEMENT.remembering("c", "").manifests == ("b", "c")
    assert STATEMENT.remembering("b", "later") == replace(STATEMENT, mark="later")


@pytest.mark.parametrize("content", [b"", b"{}", b"[", b'{"statement": 1, "signature": ""}'])
def test_what_is_no_statement_is_none(content: bytes) -> None:
    assert Sealed.parse(content) is None
