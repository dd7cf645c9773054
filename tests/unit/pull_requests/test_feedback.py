"""What a pull request is told.

`golden/feedback/NAME.md` is the comment on the records that `CASES` has under that name.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import cmarkgfm
import pytest

from gm_analytics.errors import (
    BadPackages,
    BytesDiffer,
    CommandFailed,
    GmError,
    ManifestError,
    MirrorUnreachable,
    NotInstallable,
    NotVisible,
    Problem,
    UnknownPackages,
    Unresolvable,
)
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.publication import Standing
from gm_analytics.pull_requests.feedback import (
    MARKER,
    MAX_COMMENT,
    MAX_DESCRIPTION,
    comment,
    status,
)
from gm_analytics.pull_requests.markdown import shorten
from gm_analytics.rpm.changes import Change
from gm_analytics.updates import model
from gm_analytics.updates.model import Outcome, Record, Update
from gm_analytics.updates.states import State

GOLDEN = Path(__file__).parent / "golden" / "feedback"
UPDATE = Update("d1", "mirror.icesi.edu.co", "team/packages", 42, "a" * 40)
TREE = Change("added", "tree-1.8.0-10.el9.x86_64", 56_000, "baseos", wanted=("tree",))
NMAP = Change(
    "upgraded", "nmap-3:7.92-1.el9.x86_64", 5_600_000, "appstream",
    before="nmap-3:7.91-1.el9.x86_64", wanted=("nmap",),
)  # fmt: skip
LIBC = Change("added", "glibc-2.34-60.el9.x86_64", 2_000_000, "baseos", wanted=("tree", "nmap"))
GONE = Change("removed", "oldlib-1-1.el9.noarch", 10_000, "", None, ("oldapp",))
CONFLICT = "the packages conflict with each other, so each was solved alone"
PREVIEW = "http://mirror.icesi.edu.co/repo/previews/42/"


def ended(
    state: State = "published", message: str = "", update: Update = UPDATE, **more: Any
) -> Record:
    outcome = Outcome(state, message or "3 packages added", **more)  # type: ignore[arg-type]
    return Record(update, state, outcome.message, 1.0, 2.0, 3.0, outcome)


def failed(error: GmError, update: Update = UPDATE) -> Record:
    return Record(update, "failed", str(error), 1.0, 2.0, 3.0, error=error)


def many(count: int) -> tuple[Change, ...]:
    return tuple(
        Change("added", f"package{n:05}-1-1.noarch", 1000, "baseos", wanted=(f"package{n:05}",))
        for n in range(count)
    )


def manifest_error(text: str) -> GmError:
    with pytest.raises(ManifestError) as caught:
        Manifest.parse(text.encode())
    return caught.value


SECOND = replace(UPDATE, id="d1@second", mirror="second")
CASES: dict[str, list[Record]] = {
    "published": [ended(changes=(LIBC, NMAP, TREE), warnings=(CONFLICT,))],
    "preview": [
        ended(
            "previewed",
            message="preview of team/packages#42",
            update=replace(UPDATE, aim=model.PREVIEW),
            changes=(LIBC, NMAP, GONE, TREE),
            preview=PREVIEW,
            repo_file=f"{PREVIEW[:-1]}.repo",
        )
    ],
    "compared": [
        replace(
            ended(
                "previewed",
                message="preview of team/packages#42",
                update=replace(UPDATE, aim=model.PREVIEW),
                changes=(NMAP,),
                preview=PREVIEW,
            ),
            standing=Standing("team/packages#42", 18, "1 added, 2 removed"),
        )
    ],
    "merged": [
        ended(update=replace(UPDATE, aim=model.MERGE, merge_sha="b" * 40), changes=(TREE,))
    ],
    "closed": [
        ended("closed", "team/packages#42 was closed", update=replace(UPDATE, aim=model.CLOSE))
    ],
    "unchanged": [ended("unchanged", "the mirror already serves this manifest")],
    "unknown": [
        failed(
            UnknownPackages("m", ["tre", "nope"], {"tre": ["tree", "tracer"]}, {"tre": "/1"}),
        )
    ],
    "manifest": [
        failed(
            manifest_error(
                '["-y", {"package_name": "a", "installation_commands": "a|b"}, '
                '{"package_name": "`@all`<!--", "installation_commands": "`rm` <!-- @team"}]'
            )
        )
    ],
    "unresolvable": [
        failed(Unresolvable("m", ["tree"], "Error:\n Problem: conflicting requests\n  - nothing"))
    ],
    "two-mirrors": [
        ended("unchanged", "the mirror already serves this manifest"),
        Record(SECOND, "running", "running", 1.0, 2.0, None),
    ],
    "folded": [ended(message="40 packages added", changes=many(40))],
}


def page(update_id: str) -> str:
    return f"https://ci.example.org/ci_server/updates/{update_id}"


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_comment_is_the_golden_one(name: str) -> None:
    assert comment(CASES[name], page) == (GOLDEN / f"{name}.md").read_text(encoding="utf-8")


def test_every_golden_comment_has_a_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.md")} == set(CASES)


def test_without_a_public_address_there_is_no_link() -> None:
    assert "](" not in comment(CASES["published"], lambda _: "")


# --- others' words ------------------------------------------------------------------------

HOSTILE = [
    "@octocat",
    "`@octocat`",
    "``` @octocat",
    "a ` b `` @octocat ``` c",
    "x` @octocat `y",
    "a | @octocat |\n| - |",
    "a\\| @octocat \\",
    "`\n\n# @octocat",
    "```\n@octocat\n```",
    "~~~\n@octocat",
    "<b>@octocat</b>",
    "<!-- @octocat",
    "--> @octocat <!--",
    "</details> @octocat",
    "[@octocat](https://example.org)",
    "![@octocat](https://example.org/x.png)",
    "https://example.org/@octocat",
    "www.example.org @octocat",
    "octo/cat#1 @octocat",
    "    @octocat",
    "$@octocat$ :tada:",
    f"{MARKER} @octocat",
    "\u202e@octocat\u0007\u2028@octocat",
    "`" * 300 + "@octocat",
    "@octocat " * 100,
]


def hostile_records(text: str) -> list[Record]:
    """Give records that have the text wherever others' words can be."""
    change = Change("added", text, 1, text, text, wanted=(text,))
    preview = replace(UPDATE, aim=model.PREVIEW)
    return [
        ended(
            "published",
            text,
            preview,
            changes=(change,) * 2,
            warnings=(text,),
            preview="http://m/",
        ),
        ended("published", text, changes=(change,) * 20, warnings=(text,)),
        ended("unchanged", text, warnings=(text,)),
        failed(ManifestError([Problem(text, text, text)] * 2)),
        failed(ManifestError([Problem(text, text, text)] * 20)),
        failed(UnknownPackages(text, [text], {text: [text, text]}, {text: text})),
        failed(Unresolvable("m", [text], text)),
        failed(CommandFailed("m", text, [text], 1, f"{text}\n{text}")),
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_others_words_are_code_to_github(text: str) -> None:
    """Read by GitHub's own parser: outside of code there is nothing that they wrote."""
    for record in hostile_records(text):
        for records in ([record], [record, CASES["published"][0]]):
            html = cmarkgfm.github_flavored_markdown_to_html(
                comment(records, page), cmarkgfm.cmark.Options.CMARK_OPT_UNSAFE
            )
            outside = re.sub(r"<code.*?</code>", "", html, flags=re.DOTALL)
            assert not re.search("octocat|tada|example.org/[x@]|www|<b|<img|<h1", outside), outside
            assert html.count("<!--") == html.count(MARKER) == 1
            assert html.count("<details>") == html.count("</details>")
            assert html.count("<h3>") == len(records)
            assert html.count("<table>") == outside.count("<table>")
            assert html.count("<sub>") == len(records), "what follows is read as it is meant"


def test_only_specs_that_the_preview_has_reach_the_line_that_is_pasted_into_a_shell() -> None:
    changes = (
        replace(TREE, wanted=("tree", "$(reboot)", "-y", "a;b", "perl(JSON::XS)", "@Core Tools")),
        replace(GONE, wanted=("oldlib",)),
    )
    update = replace(UPDATE, aim=model.PREVIEW)
    text = comment([ended(update=update, changes=changes, preview=PREVIEW)], page)
    line = next(line for line in text.splitlines() if line.startswith("sudo"))
    assert line.endswith("--nogpgcheck --refresh install tree 'perl(JSON::XS)' '@Core Tools'")


# --- limits -------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1_000, 20_000])
def test_long_lists_are_shortened_to_what_github_takes(count: int) -> None:
    text = comment([ended(changes=many(count))], page)
    assert MAX_COMMENT / 4 < len(text) <= MAX_COMMENT
    shown = len(re.findall(r"^\| added ", text, re.MULTILINE))
    assert f"… and {count - shown:,} more" in text
    assert f"{count} added" in text
    assert text.count("<details>") == text.count("</details>")


def test_long_words_are_shortened_to_what_github_takes() -> None:
    error = BadPackages("m", "word ` " * 50_000)
    text = comment([failed(error)] * 2, page)
    assert len(text) <= MAX_COMMENT
    assert "more characters" in text
    assert text.count("<sub>") == 2


def test_hundreds_of_mirrors_are_shortened_to_as_many_as_there_is_room_for() -> None:
    text = comment([ended(changes=many(40))] * 500, page)
    shown = text.count("### ")
    assert 20 < shown < 500
    assert text.endswith(f"\n\n… and {500 - shown} more mirrors.\n")
    assert len(text) <= MAX_COMMENT


# --- statuses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "state"),
    [
        (Record(UPDATE, "waiting", "waiting", 1.0, None, None), "pending"),
        (Record(UPDATE, "running", "running", 1.0, 2.0, None), "pending"),
        (ended(), "success"),
        (ended("unchanged"), "success"),
        (ended("previewed"), "success"),
        (ended("closed"), "success"),
        (ended("superseded"), "success"),
        (ended("ignored"), "error"),
        (Record(UPDATE, "cancelled", "cancelled", 1.0, 2.0, 3.0), "error"),
        *(
            (failed(error), "failure")
            for error in (
                ManifestError([Problem("/0", "x", "y")]),
                UnknownPackages("m", ["x"]),
                Unresolvable("m", ["x"], "y"),
                NotInstallable("m", ["x"], "y"),
                BadPackages("m", "x"),
                BytesDiffer("m", ["x"]),
            )
        ),
        (failed(MirrorUnreachable("m", "x")), "error"),
        (failed(NotVisible("m", "u", "x")), "error"),
        (failed(CommandFailed("m", "d", ["x"], 1, "y")), "error"),
    ],
)
def test_a_status_says_whose_fault_it_is(record: Record, state: str) -> None:
    found = status(record)
    assert found.state == state
    assert 0 < len(found.description) <= MAX_DESCRIPTION


def test_a_status_has_the_near_match() -> None:
    found = status(failed(UnknownPackages("m", ["tre"], {"tre": ["tree"]})))
    assert found.description == (
        "mirror m: resolving tre: No match for argument: tre (did you mean tree?)"
    )


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("fits", "fits"),
        ("two\nlines\t here ", "two lines here"),
        ("x" * 30, "x" * 19 + "…"),
        ("one two three, four five", "one two three…"),
        ("o " + "x" * 30, "o " + "x" * 17 + "…"),
    ],
)
def test_what_is_too_long_is_cut_at_a_word(text: str, short: str) -> None:
    assert shorten(text, 20) == short


def test_a_status_says_what_merging_would_change_by_now() -> None:
    (record,) = CASES["compared"]
    assert status(record).description == (
        "preview of team/packages#42; since publication 18: 1 added, 2 removed; "
        "merging plans again"
    )
    assert status(record).state == "success"
