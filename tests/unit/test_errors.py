"""Errors: each carries its data, says it, and survives the store."""

from __future__ import annotations

import dataclasses
import json
import typing
from typing import Any

import pytest

from gm_analytics import errors
from gm_analytics.errors import GmError, Problem, TransientError, Unexpected

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
SILENT = {("CommandFailed", "argv")}
"""Data for the log and the status page, too long for a line."""
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
        if (cls.__name__, field.name) not in SILENT:
            assert all(word in text for word in shown(getattr(error, field.name))), field.name


@every
def test_every_class_says_in_a_docstring_when_it_is_raised(cls: type[GmError]) -> None:
    assert cls.__doc__
    assert not cls.__doc__.startswith(cls.__name__)


def test_only_what_time_may_cure_is_transient() -> None:
    assert {cls.__name__ for cls in CLASSES if cls.transient} == {
        "CommandTimedOut",
        "GitHubUnavailable",
        "LockHeld",
        "MirrorUnreachable",
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
                "mirror m: resolving a, b: No match for argument: a at /0 (did you mean x, y?); "
                "No match for argument: b at /7"
            ),
        ),
        (
            errors.Unresolvable("m", ["a", "b"], "Problem: x", {"b": "/7"}),
            "mirror m: resolving a, b at /7: Problem: x",
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
