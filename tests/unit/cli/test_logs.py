"""The log: an event a line, for people, as JSON, and for systemd's journal."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dbos._logger import init_logger

from gm_analytics.cli import logs
from gm_analytics.cli.log_lines import FIELD, LONGEST, TRACE
from gm_analytics.log_context import concerning
from gm_analytics.settings import Settings
from tests.unit.test_documents import SMALL

log = logging.getLogger("gm_analytics.x")
DATE = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC"
LIBRARIES = (
    "uvicorn.error", "connexion", "sqlalchemy.engine", "dbos", "paramiko.transport", "fabric",
    "urllib3.connectionpool",
)  # fmt: skip
Lines = Callable[[], list[str]]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Lines]]:
    """Log to a file in place of standard error; give what reads its lines."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.unraisablehook, threading.excepthook
    stream = io.StringIO()

    def begin(form: logs.Format = "console", level: str = "info", to: Any = stream) -> Lines:
        monkeypatch.setattr(sys, "stderr", to)
        logs.log_to_standard_error(level, form)
        return lambda: stream.getvalue().splitlines()

    yield begin
    root.handlers[:], level, sys.unraisablehook, threading.excepthook = before
    root.setLevel(level)


def test_a_line_for_people_has_time_level_logger_words_and_what_they_do_not_say(
    written: Callable[..., Lines],
) -> None:
    lines = written()
    with concerning(update="pr1-a", mirror="m", step="download"):
        log.info("update %s: download took %.2f s", "pr1-a", 1)
    log.warning("alone")
    assert re.fullmatch(
        f"{DATE} INFO gm_analytics.x: update pr1-a: download took 1.00 s mirror=m", lines()[0]
    )
    assert re.fullmatch(f"{DATE} WARNING gm_analytics.x: alone", lines()[1])


def test_a_line_of_json_has_every_field(written: Callable[..., Lines]) -> None:
    lines = written("json")
    with concerning(update="pr1-a", mirror="m", step="download", delivery="d" * 1000):
        log.info("update %s: …", "pr1-a")
    found = json.loads(lines()[0])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", found.pop("timestamp"))
    assert found == {
        "level": "info", "logger": "gm_analytics.x", "event": "update pr1-a: …",
        "delivery": "d" * FIELD, "update": "pr1-a", "mirror": "m", "step": "download",
    }  # fmt: skip


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize(
    "evil",
    ["a\nb", "a\r\nb", "a\x1b[2Jb", "a\x9b31mb", "a\u2028b", "a\u202eb", "a\0b", "a\udc80b"],
)
def test_words_from_outside_begin_no_line_and_no_escape_sequence(
    written: Callable[..., Lines], form: logs.Format, evil: str
) -> None:
    lines = written(form)
    with concerning(update=evil):
        log.info("%s", evil)
    assert len(lines()) == 1
    assert lines()[0].isprintable()
    shown = json.loads(lines()[0]) if form == "json" else {"event": lines()[0]}
    assert all(value.isprintable() for value in shown.values()), "also once it is read"


def broken(words: str) -> None:
    try:
        raise ValueError(words)
    except ValueError as error:
        raise RuntimeError("meanwhile") from error


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_trace_is_whole_and_forges_nothing(
    written: Callable[..., Lines], form: logs.Format
) -> None:
    lines = written(form)
    forged = "x\n2026-01-01 00:00:00.000 UTC INFO gm_analytics.x: all is well\x1b[0m"
    try:
        broken(forged)
    except RuntimeError:
        log.exception("failed")
    if form == "json":
        trace = json.loads(lines()[0])["exception"].split("\n")
        assert len(lines()) == 1
    else:
        assert re.fullmatch(f"{DATE} ERROR gm_analytics.x: failed", lines()[0])
        trace = lines()[1:]
        assert all(line.startswith("    ") for line in trace)
        trace = [line[4:] for line in trace]
    assert trace[0] == "Traceback (most recent call last):"
    assert (
        "ValueError: x\\n2026-01-01 00:00:00.000 UTC INFO gm_analytics.x: all is well\\x1b[0m"
        in trace
    )
    assert trace[-1] == "RuntimeError: meanwhile"


def test_what_is_long_is_cut(written: Callable[..., Lines]) -> None:
    lines = written()
    log.info("%s", "x" * (LONGEST + 1))
    log.info("%s", "x " * 100_000)
    assert lines()[0].endswith("x… (1 characters more)")
    assert len(lines()[1]) < LONGEST + 200

    def deep(left: int) -> None:
        raise ValueError("deep") if not left else deep(left - 1)

    def other(left: int) -> None:  # Python folds what is the same
        other_way(left - 1) if left else deep(0)

    def other_way(left: int) -> None:
        other(left - 1) if left else deep(0)

    try:
        other(400)
    except ValueError:
        log.exception("failed")
    assert len(lines()) <= 2 + 2 + TRACE
    assert lines()[-1] == "    ValueError: deep"


def test_systemds_journal_has_the_time_itself(
    written: Callable[..., Lines], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "journal").open("w") as journal:
        found = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        written(to=journal)
        try:
            broken("x")
        except RuntimeError:
            log.exception("failed")
        with concerning(mirror="m"):
            log.warning("words")
    first, *trace, last = (tmp_path / "journal").read_text().splitlines()
    assert first == "<3>ERROR gm_analytics.x: failed"
    assert trace
    assert all(line.startswith("<3>    ") for line in trace)
    assert last == "<4>WARNING gm_analytics.x: words mirror=m"


def test_a_terminal_has_colours_unless_they_are_not_wanted(
    written: Callable[..., Lines], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for no_color, colour in (("", "\x1b[31mERROR\x1b[0m"), ("1", "ERROR")):
        monkeypatch.setenv("NO_COLOR", no_color)
        monkeypatch.setenv("TERM", "xterm")
        terminal = Terminal()
        written(to=terminal)
        log.error("x")
        assert f" UTC {colour} gm_analytics.x: x\n" in terminal.getvalue()


def test_libraries_write_through_the_same_chain(written: Callable[..., Lines]) -> None:
    lines = written("json")
    for name in LIBRARIES:
        logging.getLogger(name).warning("%s said", name)
        logging.getLogger(name).info("much")
    init_logger()
    logging.getLogger("dbos").error("again")
    found = [json.loads(line) for line in lines()]
    assert [one["event"] for one in found if one["level"] == "warning"] == [
        f"{name} said" for name in LIBRARIES
    ]
    assert [one["logger"] for one in found if one["event"] == "again"] == ["dbos"]


def test_a_line_that_cannot_be_made_is_told_without_its_words(
    written: Callable[..., Lines],
) -> None:
    lines = written()
    log.info("%d words", "secret")
    (line,) = lines()
    assert re.fullmatch(r"a line of the log is missing: .*test_logs.py:\d+: TypeError", line)


def test_what_ends_a_thread_is_an_event(written: Callable[..., Lines]) -> None:
    lines = written("json")
    logs.log_what_nobody_catches()
    thread = threading.Thread(target=broken, args=["x\ny"], name="listener")
    thread.start()
    thread.join()
    sys.unraisablehook(SimpleNamespace(err_msg=None, exc_value=ValueError("x"), object=None))  # type: ignore[arg-type]
    found = [json.loads(line) for line in lines()]
    assert [one["event"] for one in found] == [
        "thread listener: ended", "an error that nobody can catch",
    ]  # fmt: skip
    assert "ValueError: x\\ny" in found[0]["exception"]


def test_all_that_the_configuration_does_not_repeat_is_hidden(
    written: Callable[..., Lines], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a secret that is added to the configuration later, if it is no part of its repr."""
    monkeypatch.setenv("https_proxy", "http://ana:env-pass@proxy")
    mirror = SMALL["mirrors"][0] | {"proxy": "http://ana:proxy-pass@proxy"}  # type: ignore[index]
    config = Settings.model_validate({
        **SMALL,
        "webhook": {"secret": "webhook-secret-1", "repositories": ["a/b"]},
        "github": {"token": "token-of-github", "proxy": "http://ana:hub-pass@proxy"},
        "database_url": "postgresql://gm:base-pass@db/x",
        "mirrors": [mirror],
    })  # fmt: skip
    lines = written()
    logs.hide_secrets_of(config)
    said = "webhook-secret-1 token-of-github hub-pass base-pass proxy-pass env-pass"
    log.info("team/packages mirror.example.com %s", said)
    assert lines()[0].endswith(f"team/packages mirror.example.com{' …' * 6}")
