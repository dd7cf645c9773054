"""What a mirror says of its past."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from gm_analytics.mirror.history import MAX_DESCRIPTION, Held, History, Pool, history
from gm_analytics.mirror.publication import Publication
from gm_analytics.mirror.survey import Target
from gm_analytics.rpm.grammar import MAX_LINE

LISTED = f"""\
now 2000
live .publications/000003/repodata
left 1300.5 .publications/000001
left 1400.0 .publications/000002
left 1500.0 .publications/000003
left 1600.0 .publications/000004
left 1600.0 .publications/000001.new
made 1200.5 .publications/000001/packages.txt
made 1300.5 .publications/000002/packages.txt
made 1400.0 .publications/000003/packages.txt
count 2 .publications/000001/packages.txt
count 12 .publications/000002/packages.txt
count 1 .publications/000003/packages.txt
count 15 total
.publications/000002/publication.json:{{
.publications/000002/publication.json:  "number": 2, "update_id": "u2", "repository": "a/b#7",
.publications/000002/publication.json:  "commit": "c", "manifest": "", "specs": ["tree"],
.publications/000002/publication.json:  "published_at": "2026-11-24T10:00:00+00:00"
.publications/000002/publication.json:}}
.publications/000003/publication.json:{{"number": 3, "update_id": "r", "repository": "a/b#7", \
"commit": "c", "manifest": "", "specs": [], "kind": "rollback", "restores": 1}}
.publications/000002/manifests.txt:{"a" * 64}
.publications/000002/manifests.txt:{"b" * 64}
left 1700.0 .previews/42-u9@m:1
left 1710.0 .previews/42-u8
made 1699.0 .previews/42-u9@m:1/packages.txt
count 3 .previews/42-u9@m:1/packages.txt
served 0 ../.previews/42-u9@m:1
"""


def test_a_mirror_tells_what_it_holds() -> None:
    found = History.parse(LISTED)
    assert found.now == 2000
    assert [(one.number, one.packages) for one in found.publications] == [(1, 2), (2, 12), (3, 1)]
    first, second, third = found.publications
    assert first == Held(".publications/000001", 1, False, 2, 1200.5, 1300.5)
    assert second.publication == Publication(
        2, "u2", "a/b#7", "c", "", ("tree",), published_at="2026-11-24T10:00:00+00:00"
    )
    assert second.manifests == ("a" * 64, "b" * 64)
    assert found.live is third
    assert found.before_live() is second
    assert found.find(1) is first
    assert found.find(4) is None, "a candidate that was never live is no publication"


def test_previews_that_are_linked_are_served_and_those_that_were_are_not() -> None:
    assert [
        (one.directory, one.number, one.served, one.left_at)
        for one in History.parse(LISTED).previews
    ] == [(".previews/42-u8", 42, False, 1710.0), (".previews/42-u9@m:1", 42, True, 1700.0)]


def test_a_publication_says_when_and_from_what_it_was_made() -> None:
    first, second, third = History.parse(LISTED).publications
    assert [(one.when, one.what) for one in (first, second, third)] == [
        ("1970-01-01T00:20:00+00:00", "as it was found"),
        ("2026-11-24T10:00:00+00:00", "a/b#7 u2"),
        ("1970-01-01T00:23:20+00:00", "rollback to 1"),
    ]
    assert second.publication is not None
    by_hand = replace(second, publication=replace(second.publication, repository=""))
    assert by_hand.what == "u2"


@pytest.mark.parametrize("text", ["", "now 5\n"])
def test_a_mirror_that_holds_nothing_has_no_live_one(text: str) -> None:
    found = History.parse(text)
    assert (found.publications, found.previews) == ((), ())
    assert (found.live, found.before_live()) == (None, None)


DAMAGED = [
    ".publications/000002/publication.json:{",
    ".publications/000002/publication.json:[]",
    '.publications/000002/publication.json:{"number": 2, "base": "../../etc"}',
    '.publications/000002/publication.json:{"number": 2, "format": 2}',
    (
        '.publications/000002/publication.json:{"number": 2}\n'
        ".publications/000002/manifests.txt:torn"
    ),
    "described 0 .publications/000002/publication.json",
]


@pytest.mark.parametrize("lines", DAMAGED)
def test_one_that_cannot_be_read_is_named_and_stops_no_reader(lines: str) -> None:
    other = [line for line in LISTED.splitlines() if "000002/" not in line or "packages" in line]
    found = History.parse("\n".join([*other, lines, ""]))
    damaged = found.find(2)
    assert damaged is not None
    assert damaged.unreadable
    assert (damaged.manifests, damaged.packages) == ((), 12)
    assert damaged.what == f"cannot be read: {damaged.unreadable}"
    assert found.unreadable == (damaged,)
    assert found.before_live() is found.find(1), "nobody rolls back to it unless told to"
    assert [one.number for one in found.publications] == [1, 2, 3]


def test_a_preview_that_cannot_be_read_is_named_too() -> None:
    found = History.parse(LISTED + ".previews/42-u8/publication.json:{\n")
    assert [one.directory for one in found.unreadable] == [".previews/42-u8"]


def test_a_file_without_a_letter_is_no_repository_that_was_taken_over() -> None:
    found = History.parse(LISTED + "described 0 .publications/000001/publication.json\n")
    assert "an empty file" in found.publications[0].unreadable


# --- one that is damaged hides no other -----------------------------------------------------

DAMAGED = ".publications/000002/publication.json"
OTHERS = "\n".join(line for line in LISTED.splitlines() if DAMAGED not in line) + "\n"
DAMAGES = {
    "empty": f"described 0 {DAMAGED}\n",
    "no JSON": f"described 9 {DAMAGED}\n{DAMAGED}:no JSON\n",
    "NULs, as after a crash": f"described 9 {DAMAGED}\n{DAMAGED}:{chr(0) * 9}\n",
    "a line without an end": f"described 9 {DAMAGED}\n{DAMAGED}:{'x' * (MAX_LINE + 9)}\n",
    "too large to be read": f"described {MAX_DESCRIPTION} {DAMAGED}\n",
    "a list": f"described 2 {DAMAGED}\n{DAMAGED}:[]\n",
    "deep": f"described 9 {DAMAGED}\n{DAMAGED}:{'[' * 9000}\n",
    "a number beyond all": f'described 9 {DAMAGED}\n{DAMAGED}:{{"number": {"9" * 5000}}}\n',
    "a newer format": f'described 9 {DAMAGED}\n{DAMAGED}:{{"number": 2, "format": 99}}\n',
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_publication_is_named_and_hides_no_other(damage: str) -> None:
    found = History.parse(OTHERS + DAMAGES[damage])
    assert [one.number for one in found.publications] == [1, 2, 3]
    assert [one.number for one in found.unreadable] == [2]
    assert found.unreadable[0].what.startswith("cannot be read: found ")
    assert len(found.unreadable[0].what) < 400
    before = found.before_live()
    assert before
    assert before.number == 1, "no rollback goes to what cannot be read"


@pytest.mark.parametrize("file", ["publication.json", "manifests.txt"])
@pytest.mark.parametrize("kind", ["a pipe", "a directory", "large", "a link to nothing"])
def test_what_lies_there_in_place_of_a_description_holds_up_no_reader(
    file: str, kind: str, tmp_path: Path
) -> None:
    target = Target(str(tmp_path), "/r", "9")
    for number in (1, 2):
        made = tmp_path / Publication.directory(number)
        made.mkdir(parents=True)
        (made / "packages.txt").write_text("")
        (made / "publication.json").write_text(Publication(number).text())
    (tmp_path / "repodata").symlink_to(".publications/000002/repodata")
    path = tmp_path / Publication.directory(1) / file
    path.unlink(missing_ok=True)
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a directory":
        path.mkdir()
    elif kind == "large":
        path.write_bytes(b"x" * (MAX_DESCRIPTION + 1))
    else:
        path.symlink_to("nowhere")
    argv = history(target)
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=20)
    found = History.parse(done.stdout)
    assert [one.number for one in found.publications] == [1, 2]
    assert found.live
    assert not found.live.unreadable


def test_nothing_goes_while_it_is_not_known_what_a_kept_publication_names() -> None:
    sizes = "size\t1\nbefore\t1\nafter\t1\n"
    pool = Pool.parse(f"unlisted\t.publications/000002\nstray-1-1.noarch.rpm\t1\t1\n{sizes}")
    assert (pool.unnamed, pool.unlisted) == ((), (".publications/000002",))
