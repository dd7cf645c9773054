"""Errors: each carries its data, says it, and survives the store."""

from __future__ import annotations

import dataclasses
import json
import re
import typing
from pathlib import Path
from typing import Any

import pytest

from gm_analytics import errors
from gm_analytics.errors import DeliveryError, Exit, GmError, Problem, TransientError, Unexpected

CLASSES = [
    cls
    for cls in vars(errors).values()
    if isinstance(cls, type) and issubclass(cls, GmError) and cls not in {GmError, TransientError}
]
VALUES: dict[Any, Any] = {
    int: 4242,
    float: 17.5,
    float | None: 17.5,
    list[str]: ["aWord", "another"],
    list[Problem]: [Problem("/0", "aWord", "another")],
    dict[str, list[str]]: {"aWord": ["near"]},
    dict[str, str]: {"aWord": "/0"},
}
SILENT = {("CommandFailed", "argv"), ("ManifestError", "names")}
"""Data for the JSON alone: too long for a line, or shown only where an entry is named."""
HINTS = {
    ("AccountMissing", "options"),
    ("HostKeyRefused", "known_hosts"),
    ("HostKeyRefused", "scan"),
    ("KeyNotAccepted", "command"),
    ("KeyNotAccepted", "line"),
    ("MirrorUnreachable", "command"),
    ("NoUpstream", "reposdir"),
}
"""Data of what to do."""
every = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


def make(cls: type[GmError]) -> GmError:
    """Give an error whose data are recognisable values of the kinds it declares."""
    kinds = typing.get_type_hints(cls)
    values = {
        name: f"its-{name}" if kind is str else VALUES[kind]
        for name, kind in kinds.items()
        if name in {f.name for f in dataclasses.fields(cls)}
    }
    return cls(**values)


def shown(value: Any) -> list[str]:
    """Give the words by which a value is recognised in a text."""
    match value:
        case list():
            return [word for item in value for word in shown(item)]
        case dict():
            return [word for item in value.items() for part in item for word in shown(part)]
        case Problem():
            return [value.where, value.found, value.expected]
        case int():
            return [f"{value:,}"]
        case float():
            return [f"{value:g}"]
    return [value]


@every
def test_an_error_goes_through_json_and_is_the_same(cls: type[GmError]) -> None:
    error = make(cls)
    back = GmError.from_json(json.loads(json.dumps(error.to_json())))
    assert type(back) is cls
    assert back.to_json() == error.to_json()
    assert str(back) == str(error)
    assert back.transient == error.transient


@every
def test_the_text_says_all_of_the_data(cls: type[GmError]) -> None:
    error = make(cls)
    text = str(error).replace("4242", "4,242")
    for field in dataclasses.fields(error):
        if (cls.__name__, field.name) in HINTS:
            assert getattr(error, field.name) in error.hint
        elif (cls.__name__, field.name) not in SILENT:
            assert all(word in text for word in shown(getattr(error, field.name))), field.name


@every
def test_every_class_says_in_a_docstring_when_it_is_raised(cls: type[GmError]) -> None:
    assert cls.__doc__
    assert not cls.__doc__.startswith(cls.__name__)


@every
def test_an_error_says_what_to_do_in_a_short_sentence_or_two(cls: type[GmError]) -> None:
    for hint in (make(cls).hint, make(cls).public_hint):
        assert hint.endswith(".")
        assert hint[0].isupper() or hint[0] == "`"
        assert "{" not in hint
        assert len(hint) < 140


@every
def test_what_strangers_are_told_to_do_has_no_data_in_it(cls: type[GmError]) -> None:
    """So it shows nothing of the inside, and can be Markdown."""
    assert "its-" not in make(cls).public_hint
    assert make(cls).public_hint == make(cls).public_hint.replace("gm-analytics takeover", "")


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_github_s_status_says_what_to_do(status: int) -> None:
    error = errors.GitHubError("reading x", status, "no")
    assert error.hint.endswith(".")
    assert (error.public_hint == error.hint) == (status == 404)


def test_no_error_is_made_without_a_fault_and_a_code() -> None:
    for keywords in ({}, {"fault": "operator"}, {"code": Exit.FAILED}):
        with pytest.raises(TypeError, match="missing"):
            type("Careless", (GmError,), {}, **keywords)
    with pytest.raises(TypeError, match="missing"):
        type("Heir", (errors.LockHeld,), {})


@every
def test_a_script_can_tell_by_the_code_what_may_be_tried_again(cls: type[GmError]) -> None:
    assert cls.code not in {Exit.DONE, Exit.DIFFERS, Exit.INTERRUPTED}
    assert not cls.transient or cls.code == Exit.NOT_NOW
    if cls.code == Exit.NOT_NOW and not cls.transient:
        # One is begun again as a whole, not step by step; the other when a person wants it again.
        assert cls in {errors.Overtaken, errors.Stopped}


@every
def test_a_fault_goes_with_its_codes(cls: type[GmError]) -> None:
    codes = {
        "author": {Exit.WRONG_USE, Exit.REFUSED},
        "operator": {Exit.WRONG_USE, Exit.REFUSED, Exit.SET_UP, Exit.UNTRUSTED, Exit.NOT_NOW},
        "upstream": {Exit.REFUSED, Exit.NOT_NOW},
        "github": {Exit.GITHUB, Exit.NOT_NOW},
        "ourselves": {Exit.DEFECT, Exit.NOT_NOW},
    }
    if cls is errors.NotListening:  # as other servers end
        assert cls.code == Exit.FAILED
    elif not issubclass(cls, DeliveryError):  # which no command meets
        assert cls.code in codes[cls.fault]


def test_the_table_of_exit_codes_is_the_code_s() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
    found = re.findall(r"^\| (\d+) \| (.*) \|$", text, re.MULTILINE)
    assert found == [(str(code.value), code.meaning) for code in Exit]


def test_braces_in_an_error_s_data_mean_nothing() -> None:
    error = errors.BadPackages("m", "{mirror.__class__} {} {0")
    assert str(error).endswith("{mirror.__class__} {} {0")
    assert error.public.endswith("{mirror.__class__} {} {0")


def test_only_what_time_may_cure_is_transient() -> None:
    assert {cls.__name__ for cls in CLASSES if cls.transient} == {
        "CommandStopped",
        "CommandTimedOut",
        "CommitUnknown",
        "GitHubUnavailable",
        "KeyNotAccepted",
        "LockHeld",
        "LockLost",
        "MirrorUnreachable",
        "NoTunnel",
        "NotVisible",
        "StoreUnavailable",
        "TooManyDeliveries",
        "UpstreamUnavailable",
    }


@pytest.mark.parametrize(
    "data", [{"error": "Gone", "message": "x"}, {"error": "Gone", "a": 1}, {}]
)
def test_an_error_of_another_version_is_unexpected(data: dict[str, Any]) -> None:
    back = GmError.from_json(data)
    assert isinstance(back, Unexpected)
    assert back.kind == data.get("error", "")


@pytest.mark.parametrize("data", [{"error": "LockHeld"}, {"error": "LockHeld", "gone": 1}])
def test_an_error_whose_data_were_others_once_is_unexpected(data: dict[str, Any]) -> None:
    back = GmError.from_json(data)
    assert isinstance(back, Unexpected)
    assert back.kind == "LockHeld"


def test_an_error_that_is_not_ours_is_wrapped_and_ours_is_not() -> None:
    ours = errors.UnknownUpdate("x")
    assert GmError.wrap(ours) is ours
    assert str(GmError.wrap(ZeroDivisionError("by zero"))) == (
        "unexpected ZeroDivisionError: by zero"
    )


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            errors.UnknownPackages("m", ["nope"]),
            "mirror m: resolving nope: No match for argument: nope",
        ),
        (
            errors.UnknownPackages("m", ["tre"], {"tre": ["tree"]}),
            "mirror m: resolving tre: No match for argument: tre (did you mean tree?)",
        ),
        (
            errors.UnknownPackages("m", ["a", "b"], {"a": ["x", "y"]}, {"a": "/0", "b": "/7"}),
            (
                "mirror m: resolving a, b: No match for argument: a at /0 (entry 1) "
                "(did you mean x, y?); "
                "No match for argument: b at /7 (entry 8)"
            ),
        ),
        (
            errors.Unresolvable("m", ["a", "b"], "Problem: x", {"b": "/7"}),
            "mirror m: resolving a, b at /7 (entry 8): Problem: x",
        ),
        (
            errors.CommandFailed("m", "running x", ["x"], 2, " \n"),
            "mirror m: running x: exit code 2: no output",
        ),
        (
            errors.CommandFailed("m", "resolving @x", ["dnf"], 139, "Segmentation fault\n"),
            (
                "mirror m: resolving @x: exit code 139 (SIGSEGV: the program itself crashed): "
                "Segmentation fault"
            ),
        ),
        (
            errors.DiskFull("m", "/var/repo", 2_000_000, 5),
            "mirror m: downloading to /var/repo: 2,000,000 bytes needed, 5 free",
        ),
        (errors.GitHubUnavailable("reading x", "500"), "GitHub: reading x: 500"),
        (errors.GitHubError("reading x", 404, ""), "GitHub: reading x: 404"),
    ],
)
def test_an_error_says_what_was_done_to_what_and_what_came_back(error: GmError, text: str) -> None:
    assert str(error) == text
