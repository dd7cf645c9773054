"""What package managers print, in any shape: read as packages or refused, in linear time."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gm_analytics.errors import Malformed
from gm_analytics.mirror import complaints, printed
from gm_analytics.rpm import grammar, provenance
from gm_analytics.rpm.package import Row
from tests.security.hostile import texts

TABLES = sorted((Path(__file__).parents[1] / "unit/mirror/golden/tables").glob("*.txt"))
LINES = [line for table in TABLES for line in table.read_text(encoding="utf-8").splitlines()]
WORDS = st.one_of(
    texts,
    st.sampled_from(["x86_64", "noarch", "1.0-1", "base", "12 k", "3.0 MiB", "1e999", "9" * 400]),
)
rows = st.lists(WORDS, min_size=1, max_size=9).map(lambda words: " " + "  ".join(words))
outputs = st.lists(st.one_of(rows, st.sampled_from(LINES), texts), max_size=12).map("\n".join)


def sound(row: Row) -> None:
    assert grammar.NAME.fits(row.name)
    assert grammar.ARCH.fits(row.arch)
    assert grammar.EVR.fits(row.evr)
    assert grammar.REPOSITORY_ID.fits(row.repository)
    assert 0 <= row.size < 10**24


@given(outputs)
def test_a_table_has_packages_or_is_refused(output: str) -> None:
    with suppress(Malformed):
        for row in printed.transaction(output):
            sound(row)


@given(outputs)
def test_a_list_has_packages_alone(output: str) -> None:
    for row in printed.listing(output):
        sound(row)


@given(outputs, st.integers(0, 255))
def test_words_and_failures_are_found_in_anything(output: str, code: int) -> None:
    said = complaints.words(output)
    assert len(said) <= 10 * (complaints.MAX_WORDS + 1)  # one character may need ten to be shown
    assert all(c.isprintable() or c in "\n\t" for c in said)
    complaints.failure(code, output, ["tree"])
    complaints.was_solved(output)
    assert set(complaints.unknown_specs(output, ["tree", "@x"])) <= {"tree", "@x"}


RELATIONS = st.lists(
    st.one_of(
        st.builds("package\t{}.rpm".format, texts),
        st.builds("{}\t{}\t{}\t{}".format, st.sampled_from(["require", "provide"]), texts,
                  st.sampled_from(["", " = ", "<=", "=="]), texts),
        st.builds("file\t/{}".format, texts),
        st.just("signed"),
        texts,
    ),
    max_size=10,
).map("\n".join)  # fmt: skip
RICH = st.lists(
    st.sampled_from(["(", ")", "a", "b()", "if", "else", "and", "with", ">=", "1", "unless"]),
    max_size=12,
).map(" ".join)


@given(RELATIONS)
def test_relations_are_read_or_refused(output: str) -> None:
    with suppress(Malformed):
        for file, one in provenance.parse(output).items():
            assert grammar.FILE.fits(file)
            assert not any(set(c.name) & set("\n\t") for c in (*one.requires, *one.provides))


@given(st.one_of(RICH, texts).map("({}".format))
def test_any_rich_dependency_is_followed_or_left_alone(name: str) -> None:
    list(provenance._operands(provenance.Capability(name)))  # has no other door


# --- linear time --------------------------------------------------------------------------


ADVERSARIES = {
    "one long line": "x" * 100_000,
    "checksums": "checksu" * 15_000,
    "public keys": "public key " * 10_000,
    "headers": "header " * 15_000,
    "digests": "digests " * 12_000,
    "needs": "needs " * 15_000,
    "line ends": "\n" * 100_000,
    "blanks": " " * 100_000,
    "blank lines": " \n" * 12_000,
    "open brackets": "Problem repository: [\n" * 20_000,
    "errors": "Error: " * 15_000,
    "lines of errors": ("Error: " + "x " * 990 + "\n") * 200,
    "quotes": "Module or Group '" * 25_000,
    "rows": (" " + "x86_64 " * 200 + "\n") * 300,
}


@pytest.mark.parametrize("text", ADVERSARIES.values(), ids=ADVERSARIES)
def test_no_text_takes_more_than_linear_time(text: str) -> None:
    """Each of these took minutes, or seconds, with patterns that repeat within a repetition.

    Processor time, and a generous bound: they take a few hundredths of it.
    """
    start = time.process_time()
    complaints.words(text)
    complaints.failure(1, text, ["tree"])
    complaints.was_solved(text)
    with suppress(Malformed):
        printed.transaction(text)
    printed.listing(text)
    grammar.shown(text)
    assert time.process_time() - start < 5
