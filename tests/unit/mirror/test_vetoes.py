"""What a rollback takes back, and what a later one brings back."""

from __future__ import annotations

from dataclasses import asdict, replace
from hashlib import sha256

import pytest

from gm_analytics.errors import Untrusted
from gm_analytics.manifest import Manifest
from gm_analytics.mirror import vetoes
from gm_analytics.mirror.history import Held, History
from gm_analytics.mirror.publication import MAX_VETOES, Publication, Veto
from gm_analytics.mirror.solve_key import SolveKey
from gm_analytics.mirror.survey import Survey


def key(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def held(number: int, **made: object) -> Held:
    """Give a publication that was built on the one before, if nothing else is said."""
    said = {"base": Publication.directory(number - 1), "commit": f"{number:040x}", **made}
    publication = Publication(number, specs=(f"p{number}",), **said)  # type: ignore[arg-type]
    directory = Publication.directory(number)
    return Held(directory, number, False, 1, 0, 0, publication, (key(f"m{number}"),))


FIRST = Held(Publication.directory(1), 1, False, 0, 0, 0)
"""As it was found."""


def rollback(past: History, to: int) -> History:
    """Make an older one live again."""
    older = past.find(to)
    assert older is not None
    number = past.publications[-1].number + 1
    new = held(number, kind="rollback", restores=to, vetoed=vetoes.after_rollback(past, older))
    return then(past, new)


def then(past: History, *new: Held) -> History:
    known = [*past.publications, *new]
    return History(0, tuple(replace(one, served=one is known[-1]) for one in known))


def barred(past: History) -> list[int]:
    assert past.live is not None
    assert past.live.publication is not None
    return [veto.number for veto in past.live.publication.vetoed]


PAST = then(History(0), FIRST, held(2), held(3), held(4))


def test_a_rollback_bars_all_that_it_takes_back() -> None:
    assert barred(rollback(PAST, 3)) == [4]
    assert barred(rollback(PAST, 1)) == [2, 3, 4]


def test_a_veto_names_commit_specs_and_solve_keys() -> None:
    after = rollback(PAST, 3).live
    assert after is not None
    assert after.publication is not None
    specs = Manifest.parse(b'["p4"]').digest
    assert after.publication.vetoed == (Veto(4, f"{4:040x}", specs, (key("m4"),)),)


def test_rolling_back_further_bars_more_and_forward_again_less() -> None:
    twice = rollback(rollback(PAST, 3), 2)
    assert barred(twice) == [3, 4]
    assert barred(rollback(twice, 3)) == [4]
    assert barred(rollback(twice, 4)) == []
    assert barred(rollback(twice, 5)) == [4], "to the first rollback, which barred it"


def test_rolling_back_a_rollback_brings_back_what_it_took() -> None:
    once = rollback(PAST, 3)
    assert barred(rollback(once, 4)) == []


def test_what_was_published_on_a_rollback_is_barred_with_what_that_barred() -> None:
    """A merge ended the veto; rolling back before it brings the veto back."""
    later = then(rollback(PAST, 3), held(6, vetoed=()))
    assert barred(rollback(later, 5)) == [4, 6]
    assert barred(rollback(later, 4)) == [6], "whatever came between, 4 is what it was"


def test_what_is_kept_no_longer_stays_barred() -> None:
    after = rollback(PAST, 3)
    new = held(6, vetoed=(Veto(4),))
    kept = tuple(one for one in (*after.publications, new) if one.number >= 5)
    assert barred(rollback(then(History(0), *kept), 5)) == [4, 6]


def test_only_so_many_are_kept() -> None:
    many = tuple(Veto(number) for number in range(1000, 1000 + MAX_VETOES))
    past = then(PAST, held(2000, vetoed=many, base=Publication.directory(4)))
    found = barred(rollback(past, 3))
    assert (len(found), found[-1]) == (MAX_VETOES, 2000)


SOLVED = SolveKey(Manifest.parse(b'["tree"]').digest, True, "/r", "9")


@pytest.mark.parametrize(
    ("veto", "barred"),
    [
        (Veto(4, "a" * 40), True),
        (Veto(4, "b" * 40), False),
        (Veto(4, "", SOLVED.manifest), True),
        (Veto(4, "", "", (SOLVED.digest,)), True),
        (Veto(4, "", "", (key("other"),)), False),
        (Veto(4), False),
    ],
)
def test_a_veto_is_against_a_commit_or_what_its_manifest_means(veto: Veto, barred: bool) -> None:
    assert bool(vetoes.against([veto], "a" * 40, ["tree"], SOLVED)) is barred
    if barred:
        newest = replace(veto, number=9)
        assert vetoes.against([newest, veto], "a" * 40, ["tree"], SOLVED) == newest


def test_what_a_person_applied_has_no_commit_to_be_barred() -> None:
    assert vetoes.against([Veto(4)], "", ["tree"], SOLVED) is None


def test_a_later_merge_ends_the_vetoes_of_what_is_live() -> None:
    made = Publication(5, mark="2026-01-01T00:00:00Z " + "a" * 40, vetoed=(Veto(4),))
    seen = Survey("live", None, publication=made.text())
    assert vetoes.standing(seen) == (Veto(4),)
    assert vetoes.standing(replace(seen, mark=made.mark)) == (Veto(4),)
    assert vetoes.standing(replace(seen, mark="2026-01-02T00:00:00Z " + "b" * 40)) == ()
    assert vetoes.standing(Survey("live", None)) == ()


def test_an_older_reader_ignores_vetoes_and_an_older_publication_has_none() -> None:
    text = Publication(5, vetoed=(Veto(4, "a" * 40),)).text()
    assert Publication.parse(text) == Publication(5, vetoed=(Veto(4, "a" * 40),))
    assert asdict(Publication(5))["format"] == 1
    assert Publication.parse('{"number": 5}') == Publication(5)


def test_one_that_cannot_be_believed_hinders_no_rollback() -> None:
    def believe(one: Held) -> Held:
        if one.number == 4:
            raise Untrusted("m", one.directory, "it is not signed")
        return replace(one, manifests=())

    older = PAST.find(2)
    assert older is not None
    found = vetoes.believed(PAST, older, believe)
    assert [one.publication is None for one in found.publications] == [True, False, False, True]
    assert [len(one.manifests) for one in found.publications] == [0, 1, 0, 1]
