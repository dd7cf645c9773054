"""What is stored is read again: as a1fa4e0 wrote it, as it is written now, and as a later one may.

`tests/golden/` has what was on main at that commit: made by its own code on the lab's mirror.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gm_analytics.engine import codec, records, steps
from gm_analytics.errors import (
    ForeignFormat,
    GmError,
    LockMismatch,
    Malformed,
    NewerFormat,
    Unexpected,
    UnknownPackages,
)
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.history import Held
from gm_analytics.mirror.lock import Lock
from gm_analytics.mirror.package_manager import PackageManager
from gm_analytics.mirror.publication import Publication
from gm_analytics.mirror.publications import Publications
from gm_analytics.mirror.publisher import Publisher
from gm_analytics.mirror.session import Session
from gm_analytics.mirror.signer import Signer
from gm_analytics.rpm.package import Package
from gm_analytics.updates import model
from gm_analytics.updates.model import Outcome, Update
from gm_analytics.updates.ports import Mirrors, Request

GOLDEN = Path(__file__).parents[1] / "golden" / "a1fa4e0"
NEWER = "install the newer gm-analytics that wrote it"
KINDS = ("add", "preview", "merge", "rollback")


def golden(name: str) -> str:
    return (GOLDEN / name).read_text("utf-8")


def stored(name: str) -> Any:
    return json.loads(golden(name))


# --- publication.json -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_publication_of_a1fa4e0_is_read(kind: str) -> None:
    text = golden(f"publication-{kind}.json")
    found = Publication.parse(text)
    assert found is not None
    assert (found.kind, found.service, found.format) == (kind, "", 1)
    said = json.loads(text)
    assert {name: json.loads(found.text())[name] for name in said} == said


@pytest.mark.parametrize("kind", KINDS)
def test_a_publication_is_read_as_it_is_written_now(kind: str) -> None:
    found = Publication.parse(golden(f"publication-{kind}.json"))
    assert found is not None
    now = replace(found, service="s", mark="2026-11-24T10:00:00Z " + "b" * 40, key="F" * 40)
    assert Publication.parse(now.text()) == now
    assert json.loads(now.text())["format"] == 1


def test_the_longest_entry_of_a_manifest_can_be_read_back() -> None:
    many = "sudo yum install -y " + " ".join(f"package-{index:04}" for index in range(300))
    manifest = Manifest.parse(json.dumps([many, " " * 5000 + "vim"]).encode())
    entries = tuple((entry.name, entry.specs) for entry in manifest.entries)
    assert max(len(name) for name, _ in entries) > 4096
    made = Publication(3, specs=manifest.specs, entries=entries)
    assert Publication.parse(made.text()) == made


def test_what_could_not_be_read_back_is_never_put_on_the_mirror() -> None:
    put: list[tuple[str, list[str]]] = []
    ssh = SimpleNamespace(put_all=lambda place, some: put.append((place, list(some))))
    target = SimpleNamespace(staging=lambda *parts: "/".join(parts))
    host: Any = SimpleNamespace(name="m", service="s", ssh=ssh, target=target, basis={})
    signer = Signer(host, None, None, None)  # type: ignore[arg-type]
    with pytest.raises(Malformed, match=r"a publication\.json"):
        signer.write("u1", [], Publication(3, warnings=("two\nlines",)), ())
    assert not put
    signer.write("u1", [], Publication(3, warnings=("one line",)), ())
    assert put == [("u1", ["packages.txt", "publication.json", "manifests.txt"])]


def test_a_publication_needs_its_number_alone() -> None:
    assert Publication.parse('{"number": 3, "colour": "red"}') == Publication(3)
    needed = [
        one.name
        for one in fields(Publication)
        if one.default is MISSING and one.default_factory is MISSING
    ]
    assert needed == ["number"], "what a later version adds must have a default"


def test_a_publication_of_a_newer_format_is_refused_in_words_whatever_its_shape() -> None:
    with pytest.raises(NewerFormat, match=f"a publication.json of format 2; .*{NEWER}"):
        Publication.parse('{"format": 2, "numbers": [1]}')


@pytest.mark.parametrize("text", ["{", "[]", '{"number": "x"}', '{"number": 1, "base": "../x"}'])
def test_a_damaged_publication_is_none_and_says_why(text: str) -> None:
    with pytest.raises(Malformed, match=r"expected a publication\.json"):
        Publication.parse(text)
    publication, wrong = Publication.read(text, there=True)
    assert publication is None
    assert wrong


def test_an_empty_file_is_damaged_and_no_file_is_a_repository_that_was_taken_over() -> None:
    assert Publication.read("", there=False) == (None, "")
    assert "an empty file" in Publication.read(" \n", there=True)[1]


# --- packages.txt ---------------------------------------------------------------------------

LEAVES = ["leaf01-1.0-1.el9.noarch", "leaf02-1.0-1.el9.noarch"]


def test_a_list_of_packages_of_a1fa4e0_is_read_and_written_as_it_was() -> None:
    found = Package.parse(golden("packages.txt"))
    assert [package.nevra for package in found] == LEAVES
    assert [package.wanted for package in found] == [("leaf01",), ("leaf02",)]
    assert "".join(package.line() + "\n" for package in found) == golden("packages.txt")


def test_columns_that_a_later_version_adds_are_ignored() -> None:
    lines = golden("packages.txt").splitlines()
    later = "\n".join(["#gm-packages 1 of", *(f"{line}\t7\té" for line in lines)])
    assert Package.parse(later) == Package.parse(golden("packages.txt"))


def test_the_last_two_columns_may_be_missing() -> None:
    whole = Package.parse(golden("packages.txt"))
    for columns, gone in ((9, {"wanted": ()}), (8, {"wanted": (), "source": ""})):
        cut = ["\t".join(one.line().split("\t")[:columns]) for one in whole]
        bare = tuple(replace(one, **gone) for one in whole)  # type: ignore[arg-type]  # of these
        assert Package.parse("\n".join(cut)) == bare


def test_a_list_of_a_newer_format_is_refused_in_words() -> None:
    with pytest.raises(NewerFormat, match=f"packages.txt of format 2; .*{NEWER}"):
        Package.parse("#gm-packages 2\nwhatever it is\n")


# --- lock file ------------------------------------------------------------------------------


def test_a_lock_file_of_a1fa4e0_is_read_and_says_the_same_when_it_is_written() -> None:
    found = Lock.parse(golden("lock.json").encode())
    assert [locked.nevra for locked in found.packages] == LEAVES
    assert found.text() == golden("lock.json"), "in the same order, too"
    assert Lock.parse(found.text().encode()) == found


def test_a_lock_file_needs_specs_and_packages_alone() -> None:
    data = stored("lock.json")
    few = [
        {name: locked[name] for name in ("nevra", "file", "size", "sha256")}
        for locked in data["packages"]
    ]
    text = json.dumps({"specs": data["specs"], "packages": few, "colour": "red"})
    found = Lock.parse(text.encode())
    assert [locked.nevra for locked in found.packages] == LEAVES
    with pytest.raises(LockMismatch, match="packages: missing"):
        Lock.parse(b'{"specs": []}')


@pytest.mark.parametrize("more", [{}, {"packages": 7}])
def test_a_lock_file_of_a_newer_format_is_refused_in_words(more: dict[str, int]) -> None:
    text = json.dumps(stored("lock.json") | {"format": 2} | more)
    with pytest.raises(LockMismatch, match=f"a lock file of format 2; .*{NEWER}"):
        Lock.parse(text.encode())


# --- what the store has ---------------------------------------------------------------------

STEPS: dict[str, Callable[..., Any]] = {
    "supersede": Request.is_superseded,
    "fetch manifest": Request.manifest,
    "compare commits": Request.contains,
    "survey": Session.survey,
    "download": PackageManager.download,
    "inspect": Publisher.inspect,
    "obtain": Publications.obtain,
    "look at preview": Publications.preview,
    "take preview": Publications.take_preview,
    "look back": Publications.look_back,
    "recall": Publications.recall,
    "compare": Publications.compare,
    "add": Publisher.add,
    "createrepo": Publisher.build,
    "sign": Signer.sign,
    "prove": PackageManager.prove,
    "switch": Publisher.switch,
    "see": Mirrors.wait_until_visible,
    "remember": Publications.remember,
    "drop preview": Publications.drop_preview,
    "retain": Publications.retain,
    "sweep": Session.sweep,
}


@pytest.mark.parametrize(("name", "values"), sorted(stored("steps.json").items()))
def test_what_a_step_of_a1fa4e0_gave_is_read_and_is_the_same_when_it_is_written(
    name: str, values: list[Any]
) -> None:
    """An update that it began goes on with these: step names and their values are as they were."""
    adapter = steps._adapter(STEPS[name])
    for value in values:
        found = adapter.validate_python(value)
        again = adapter.dump_python(found, mode="json")
        assert adapter.validate_python(again) == found
        assert value is None or found is not None
        if isinstance(value, dict):
            assert {key: again[key] for key in value if key != "publication"} == {
                key: value[key] for key in value if key != "publication"
            }
            later = {**value, "of_a_later_version": [1]}
            assert adapter.validate_python(later) == found


OUTSIDE = "../../../etc/x-1.0-1.noarch.rpm"
HOSTILE: list[tuple[str, str, list[Any]]] = [
    ("download", "groups", [["--installroot=/", "vim"]]),
    ("download", "groups", [["vim; reboot"]]),
    ("inspect", "packages", [{"file": OUTSIDE}]),
    ("inspect", "packages", [{"sha256": "$(reboot)"}]),
    ("inspect", "packages", [{"size": -1}]),
]


@pytest.mark.parametrize(("name", "field", "written"), HOSTILE)
def test_a_step_of_the_database_gives_no_name_outside_its_grammar(
    name: str, field: str, written: list[Any]
) -> None:
    value = next(one for one in stored("steps.json")[name] if one[field])
    if isinstance(written[0], dict):
        written = [value[field][0] | written[0]]
    adapter = steps._adapter(STEPS[name])
    with pytest.raises(Malformed, match=f"what the step '{name}' gave"):
        steps._read(name, adapter, {**value, field: written})


def test_a_survey_of_the_database_names_no_other_directory_and_no_other_program() -> None:
    adapter = steps._adapter(STEPS["survey"])
    value = next(one for one in stored("steps.json")["survey"] if one["live"])
    for field in ("live", "repomd", "mark"):
        with pytest.raises(Malformed):
            steps._read("survey", adapter, {**value, field: "../x\n"})
    tools = {**value["tools"], "manager_path": "dnf --installroot=/"}
    with pytest.raises(Malformed):
        steps._read("survey", adapter, {**value, "tools": tools})


def test_every_step_of_the_story_but_signing_is_among_what_was_kept() -> None:
    assert set(STEPS) - set(stored("steps.json")) == {"sign"}, "whose value is none"


def test_updates_of_a1fa4e0_are_read() -> None:
    preview, merge = map(Update.read, stored("updates.json")["updates"])
    assert (preview.aim, merge.aim) == (model.PREVIEW, model.MERGE)
    assert (merge.pull_request, merge.mark) == (
        "icesi/packages#7",
        "2026-11-24T11:00:00Z " + "b" * 40,
    )


@pytest.mark.parametrize("aim", [model.ADDITION, model.MERGE, model.CLOSE, model.ROLLBACK])
def test_an_update_is_read_as_it_is_stored_now(aim: model.Aim) -> None:
    update = Update("u1@m", "m", "o/r", 7, "a" * 40, 1.5, aim, merge_sha="b" * 40)
    kept = json.loads(json.dumps(update.to_json()))
    assert kept["format"] == 1
    assert Update.read({**kept, "colour": "red"}) == update


def test_an_update_of_a_newer_format_is_refused_and_listed_all_the_same() -> None:
    newer = {"format": 2, "id": "u", "mirror": "m", "repository": {}}
    with pytest.raises(NewerFormat, match=f"an update of format 2; .*{NEWER}"):
        Update.read(newer)
    assert records.update_of(newer, "u@m", "m") == Update("u@m", "m", aim=model.NOTHING)


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "dance"},
        {"kind": ["add"]},
        {"aim": {"cause": "schedule", "mode": "exact", "target": "live", "source": "solved"}},
        {"aim": {}},
        {"number": "seven"},
        {"number": 2**31},
        {"requested_at": 253_402_300_800},
        {"requested_at": float("nan")},
        {"head_sha": "\ud800"},
        {"updated_at": "\0"},
    ],
)
def test_an_update_that_is_damaged_or_aims_at_what_is_unknown_is_not_performed(
    values: dict[str, Any],
) -> None:
    with pytest.raises(Malformed, match="expected an update"):
        Update.read({"id": "u", "mirror": "m", **values})
    listed = records.update_of(values, "u@m", "m")
    assert listed == Update("u@m", "m", aim=model.NOTHING)


def test_the_last_number_and_time_that_a_database_holds_are_read() -> None:
    last = Update("u", "m", "o/r", 2**31 - 1, requested_at=253_402_300_799)
    assert Update.read(last.to_json()) == last


@pytest.mark.parametrize("values", [["x"], None, 7, "x"])
def test_what_is_no_object_is_malformed(values: Any) -> None:
    for read in (Update.read, Outcome.read):
        with pytest.raises(Malformed, match=f"found a {type(values).__name__}; expected an "):
            read(values)


def test_an_outcome_with_text_that_cannot_be_shown_is_malformed_and_never_written() -> None:
    foreign = Outcome("unchanged", "a\0", warnings=("\udcff",))
    assert Outcome.read(foreign.to_json()) == Outcome("unchanged", "a?", warnings=("?",))
    for more in ({"message": "\ud800"}, {"warnings": ["\0"]}, {"preview": "\ud800"}):
        with pytest.raises(Malformed, match="expected an outcome"):
            Outcome.read(foreign.to_json() | more)


def test_outcomes_of_a1fa4e0_are_read() -> None:
    found = [Outcome.read(values) for values in stored("updates.json")["outcomes"]]
    assert [outcome.state for outcome in found] == ["previewed", "published", "unchanged"]
    assert found[0].changes[0].nevra == LEAVES[0]
    for outcome in found:
        assert Outcome.read(json.loads(json.dumps(outcome.to_json()))) == outcome


def test_an_outcome_of_a_newer_format_is_a_failure_that_says_what_to_do() -> None:
    text = '{"format": 2, "states": []}'
    row = SimpleNamespace(status="SUCCESS", output=text, error=None, serialization=codec.FORMAT)
    assert NEWER in records.ending(row).message


def test_values_of_a_newer_format_in_the_database_are_refused_in_words() -> None:
    with pytest.raises(NewerFormat, match=f"of format 2; .*{NEWER}"):
        codec.decode("{}", f"{codec.FORMAT}_2")
    with pytest.raises(ForeignFormat):
        codec.decode("{}", f"{codec.FORMAT}_x")


def test_an_error_is_read_without_what_a_later_version_added() -> None:
    data = UnknownPackages("m", ["nope"]).to_json() | {"colour": "red"}
    found = GmError.from_json(data)
    assert isinstance(found, UnknownPackages)
    assert found.specs == ["nope"]
    assert isinstance(GmError.from_json({"error": "UnknownPackages", "specs": []}), Unexpected)


def test_what_keeps_a_publication_of_an_unreadable_file_says_so() -> None:
    held = Held(".publications/000003", 3, False, 1, 0, 0, unreadable="found x")
    assert held.what == "cannot be read: found x"
