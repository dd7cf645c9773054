"""The lock file: what it says, what it refuses, and what is wrong with what was found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gm_analytics.errors import LockMismatch
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.history import Held
from gm_analytics.mirror.lock import Lock, Locked, broken
from gm_analytics.mirror.publication import Publication
from gm_analytics.rpm.package import Package

TREE = Package(
    "tree-2-1.noarch.rpm", "tree", 0, "2", "1", "noarch", 9, "a" * 64, "base", ("tree",)
)
NMAP = Package(
    "nmap-7-1~rc.x86_64.rpm", "nmap", 3, "7", "1~rc", "x86_64", 8, "b" * 64, "", ("nmap", "tree")
)
MADE = Publication(
    17,
    "u1",
    "a/b#7",
    "c" * 40,
    "d" * 64,
    ("tree", "nmap"),
    (("Trees", ("tree",)), ("Scanner", ("nmap",))),
    groups=(("tree",), ("nmap",)),
    published_at="2026-11-24T10:00:00+00:00",
)
HELD = Held(".publications/000017", 17, True, 2, 0, 0, MADE)
LOCK = Lock.of("m", HELD, (NMAP, TREE))


def test_a_lock_says_of_each_rpm_where_it_came_from_and_which_entry_wanted_it() -> None:
    assert json.loads(LOCK.text())["packages"][0] == {
        "nevra": "nmap-3:7-1~rc.x86_64",
        "file": NMAP.file,
        "size": 8,
        "sha256": "b" * 64,
        "source": "",
        "wanted": ["nmap", "tree"],
        "wanted_by": ["Trees", "Scanner"],
    }


def test_a_lock_comes_back_from_its_text_with_the_same_packages() -> None:
    again = Lock.parse(LOCK.text().encode())
    assert again == LOCK
    assert tuple(locked.package for locked in again.packages) == (NMAP, TREE)


def test_a_repository_that_was_taken_over_has_a_lock_without_specs() -> None:
    found = Lock.of("m", Held(".publications/000001", 1, True, 1, 0, 0), (TREE,))
    assert (found.specs, found.digest, found.packages[0].wanted_by) == ((), "", ())
    assert Lock.parse(found.text().encode()) == found


def test_a_manifest_of_the_same_specs_is_taken_in_any_order() -> None:
    LOCK.check(Manifest.parse(b'["nmap", "tree"]'))


def test_a_manifest_of_other_specs_is_refused_with_the_difference() -> None:
    with pytest.raises(LockMismatch) as caught:
        LOCK.check(Manifest.parse(b'["tree", "jq"]'))
    assert str(caught.value) == (
        "lock file: jq is in the manifest alone; nmap is in the lock file alone"
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("file", "../../etc/passwd.rpm"),
        ("file", "-x.rpm"),
        ("file", "a b.rpm"),
        ("nevra", "--setopt=x-1-1.noarch"),
        ("nevra", "tree"),
        ("nevra", "tree-1-1.noarch\n"),
        ("sha256", "a" * 63),
        ("source", "a\tb"),
        ("wanted", ["a,b"]),
        ("wanted", ["a\nb"]),
        ("size", "many"),
    ],
)
def test_what_could_become_an_option_or_a_path_is_refused_with_its_place(
    key: str, value: Any
) -> None:
    text = json.loads(LOCK.text())
    text["packages"][1][key] = value
    with pytest.raises(LockMismatch, match=rf"not a lock file: packages\.1\.{key}"):
        Lock.parse(json.dumps(text).encode())


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff"])
def test_what_is_no_lock_file_is_refused(text: bytes) -> None:
    with pytest.raises(LockMismatch, match="not a lock file"):
        Lock.parse(text)


def test_a_format_of_another_time_is_refused() -> None:
    text = json.loads(LOCK.text()) | {"format": 2}
    with pytest.raises(LockMismatch, match="format 2; expected 1"):
        Lock.parse(json.dumps(text).encode())


def test_a_spec_that_only_a_group_names_is_refused() -> None:
    """Groups reach yum's command line, and only the manifest's specs were checked."""
    text = json.loads(LOCK.text()) | {"groups": [["tree", "--nogpgcheck"]]}
    with pytest.raises(LockMismatch, match=r"not a lock file: groups\.0\.1"):
        Lock.parse(json.dumps(text).encode())
    text["groups"] = [["tree", "jq"]]
    with pytest.raises(LockMismatch, match="jq is in its groups alone"):
        Lock.parse(json.dumps(text).encode()).check(Manifest.parse(b'["tree", "nmap"]'))


@pytest.mark.parametrize(
    ("pool", "fetched", "gone", "words"),
    [
        ({TREE.file: "a" * 64}, {NMAP.nevra: "b" * 64}, (), []),
        ({TREE.file: "a" * 64, NMAP.file: "b" * 64}, {}, (), []),
        (
            {TREE.file: "x"},
            {NMAP.nevra: "b" * 64},
            (),
            ["tree-2-1.noarch: the pool has other bytes"],
        ),
        ({}, {NMAP.nevra: "b" * 64}, (), ["tree-2-1.noarch: upstream no longer has it"]),
        (
            {},
            {NMAP.nevra: "x"},
            {TREE.nevra},
            [
                "nmap-3:7-1~rc.x86_64: upstream has other bytes",
                "tree-2-1.noarch: upstream no longer has it",
            ],
        ),
        ({}, {}, {TREE.nevra}, ["tree-2-1.noarch: upstream no longer has it"]),
    ],
)
def test_every_rpm_that_cannot_be_had_is_named_with_what_is_wrong(
    pool: dict[str, str], fetched: dict[str, str], gone: set[str], words: list[str]
) -> None:
    assert broken((NMAP, TREE), pool, fetched, gone) == words


def test_a_locked_rpm_without_epoch_comes_back() -> None:
    assert Locked.of(TREE, ()).package == TREE
