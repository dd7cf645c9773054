"""What the story relies on of a mirror: the real one and the one in memory behave alike."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256

import pytest

from gm_analytics import settings
from gm_analytics.errors import (
    GmError,
    NotInstallable,
    Overtaken,
    RollbackRefused,
    UnknownPackages,
)
from gm_analytics.mirror.access import Mirrors as RealMirrors
from gm_analytics.mirror.publication import Closure, Download, Publication
from gm_analytics.updates.ports import Mirror, Mirrors
from lab.packages import LEAF_NAMES, Package
from lab.site import Site
from tests.support.mirror import MemoryMirrors, Offered, State, offering

BASE, NEEDS = "contract-base", "contract-needs-base"
LEAVES = iter(LEAF_NAMES[:30])
UPDATES = (f"contract-{number}" for number in itertools.count())


@dataclass(frozen=True)
class Place:
    """A mirror to try: its name among some mirrors."""

    mirrors: Mirrors
    name: str

    def open(self) -> AbstractContextManager[Mirror]:
        return self.mirrors.open(self.name)


@pytest.fixture(scope="module")
def real() -> Iterator[Place]:
    with Site.running() as site:
        site.upstream.add(Package(BASE), Package(NEEDS, requires=(BASE,)))
        config = settings.Settings.model_validate(site.settings())
        yield Place(RealMirrors(config, lambda: "contract"), site.mirror.name)


@pytest.fixture(scope="module")
def memory() -> Place:
    upstream = offering(Offered(BASE), Offered(NEEDS, (BASE,)), *map(Offered, LEAF_NAMES))
    return Place(MemoryMirrors({"m": State(upstream)}), "m")


@pytest.fixture(params=["memory", "real"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def names(closure: Closure, *states: str) -> set[str]:
    pairs = zip(closure.packages, closure.states, strict=True)
    return {package.name for package, state in pairs if not states or state in states}


def found(mirror: Mirror, update: str, *specs: str) -> tuple[Download, Closure]:
    """Solve, download and inspect."""
    live = mirror.survey()
    download = mirror.package_manager.download(update, specs, live.free, 0)
    return download, mirror.publisher.inspect(update, live.live, download, 0)


def described(mirror: Mirror, update: str, specs: tuple[str, ...], kind: str) -> Publication:
    live = mirror.survey().live
    number = Publication.number_of(live) + 1
    return Publication(number, update, specs=specs, manifest=digest(update), kind=kind, base=live)


def publish(mirror: Mirror, *specs: str, kind: str = "add") -> tuple[str, str]:
    """Publish specs as an update does; give what was live before and the repomd.xml's digest."""
    update, before = next(UPDATES), mirror.survey().live
    download, closure = found(mirror, update, *specs)
    mirror.publisher.add(update, closure.where("new"))
    publication = described(mirror, update, specs, kind)
    mirror.publisher.build(update, before, closure, publication)
    mirror.package_manager.prove(update, download.groups)
    repomd = mirror.publisher.switch(update, before, publication)
    mirror.sweep(update)
    return before, repomd


def test_a_closure_has_what_is_needed_and_says_where_it_is(place: Place) -> None:
    with place.open() as mirror:
        _, closure = found(mirror, "first", NEEDS)
        assert names(closure, "new") == {BASE, NEEDS}
        mirror.publisher.add("first", closure.where("new"))
        _, again = found(mirror, "second", NEEDS)
        assert names(again, "pool") == {BASE, NEEDS}
        publish(mirror, NEEDS)
        _, seen = found(mirror, "third", NEEDS)
        assert names(seen, "live") == {BASE, NEEDS}


def test_unknown_packages_are_named(place: Place) -> None:
    with place.open() as mirror, pytest.raises(UnknownPackages) as caught:
        found(mirror, next(UPDATES), "no-such-package", BASE)
    assert caught.value.specs == ["no-such-package"]


@pytest.mark.parametrize(("kind", "kept"), [("add", True), ("merge", False)])
def test_an_addition_keeps_what_is_live_and_an_exact_set_does_not(
    place: Place, kind: str, kept: bool
) -> None:
    first, second = next(LEAVES), next(LEAVES)
    with place.open() as mirror:
        publish(mirror, first)
        publish(mirror, second, kind=kind)
        live = mirror.survey().live
        _, one = found(mirror, next(UPDATES), first)
        assert names(one, "live") == ({first} if kept else set())
        plan = mirror.publications.compare(live, one, exact=False)
        assert bool(plan.changes) is not kept


def test_a_switch_says_what_is_live_and_may_be_repeated(place: Place) -> None:
    with place.open() as mirror:
        update, spec = next(UPDATES), next(LEAVES)
        before = mirror.survey().live
        download, closure = found(mirror, update, spec)
        mirror.publisher.add(update, closure.where("new"))
        publication = described(mirror, update, (spec,), "add")
        mirror.publisher.build(update, before, closure, publication)
        mirror.package_manager.prove(update, download.groups)
        repomd = mirror.publisher.switch(update, before, publication)
        assert mirror.publisher.switch(update, before, publication) == repomd
        after = mirror.survey()
        assert (after.live, after.repomd) == (Publication.directory(publication.number), repomd)
        read = Publication.parse(after.publication)
        assert read is not None
        assert (read.update_id, read.specs) == (update, (spec,))
    place.mirrors.wait_until_visible(place.name, repomd, None)


def test_a_candidate_built_on_what_is_live_no_more_is_overtaken(place: Place) -> None:
    with place.open() as mirror:
        update, spec = next(UPDATES), next(LEAVES)
        stale = mirror.survey().live
        _, closure = found(mirror, update, spec)
        mirror.publisher.add(update, closure.where("new"))
        publication = described(mirror, update, (spec,), "add")
        mirror.publisher.build(update, stale, closure, publication)
        _, newer = publish(mirror, next(LEAVES))
        with pytest.raises(Overtaken):
            mirror.publisher.switch(update, stale, publication)
        assert mirror.survey().repomd == newer


def test_what_the_candidate_lacks_is_not_proven(place: Place) -> None:
    with place.open() as mirror:
        update, spec = next(UPDATES), next(LEAVES)
        _, closure = found(mirror, update, spec)
        mirror.publisher.add(update, closure.where("new"))
        publication = described(mirror, update, (spec,), "merge")
        mirror.publisher.build(update, mirror.survey().live, closure, publication)
        with pytest.raises(NotInstallable):
            mirror.package_manager.prove(update, (("leaf39",),))


def test_a_preview_is_beside_what_is_live(place: Place) -> None:
    with place.open() as mirror:
        update, spec, live = next(UPDATES), next(LEAVES), mirror.survey()
        download, closure = found(mirror, update, spec)
        mirror.publisher.add(update, closure.where("new"))
        described = {"repository": "o/n#42", "manifest": digest("d"), "base": live.live}
        made = Publication(42, specs=(spec,), kind="preview", **described)
        mirror.publisher.build_preview(update, live.live, closure, made)
        mirror.package_manager.prove(update, download.groups)
        repomd = mirror.publisher.switch_preview(update, made)
        assert mirror.survey().repomd == live.repomd
        place.mirrors.wait_until_visible(place.name, repomd, 42)
        shown = mirror.publications.preview(42)
        assert shown is not None
        assert (shown.repomd, shown.publication.manifest) == (repomd, digest("d"))
        assert shown.upstream == getattr(mirror.survey().upstream, "state", "")
        assert names(mirror.publications.take_preview(update, 42)) == {spec}
        assert mirror.survey().previews == 1
        (standing,) = mirror.publications.compare_previews(live.live)
        number = Publication.number_of(live.live)
        assert (standing.pull_request, standing.publication) == ("o/n#42", number)
        assert standing.summary.startswith("1 added")
        assert mirror.publications.drop_preview(42)
        assert not mirror.publications.drop_preview(42)
        assert mirror.publications.preview(42) is None


def test_what_is_remembered_is_read_again(place: Place) -> None:
    with place.open() as mirror:
        live = mirror.survey().live
        mirror.publications.remember(live, digest("x"), "2026-11-26T10:00:00Z " + "a" * 40)
        mirror.publications.remember(live, digest("x"), "")
        survey = mirror.survey()
        assert survey.manifests.count(digest("x")) == 1
        assert survey.mark == "2026-11-26T10:00:00Z " + "a" * 40


def test_an_older_publication_is_made_live_again(place: Place) -> None:
    old, new = next(LEAVES), next(LEAVES)
    with place.open() as mirror:
        publish(mirror, old, kind="merge")
        before, _ = publish(mirror, new, kind="merge")
        older = mirror.publications.look_back(None)
        assert older.directory == before
        closure = mirror.publications.recall(older)
        assert names(closure) == {old}
        update, live = next(UPDATES), mirror.survey().live
        publication = described(mirror, update, (old,), "rollback")
        mirror.publisher.rebuild(update, live, older, closure, publication)
        mirror.package_manager.prove(update, ((old,),))
        mirror.publisher.switch(update, live, publication)
        _, seen = found(mirror, next(UPDATES), old)
        assert names(seen, "live") == {old}
        with pytest.raises(RollbackRefused):
            mirror.publications.look_back(publication.number)


def test_what_upstream_looked_like_is_kept_with_each_manifest(place: Place) -> None:
    spec = next(LEAVES)
    with place.open() as mirror:
        publish(mirror, spec)
        now = mirror.survey()
        assert now.upstream is not None
        (made,) = now.manifests
        assert now.upstream.was_solved(made, now.upstream.state)
        assert mirror.package_manager.ask_upstream(next(UPDATES)).state == now.upstream.state
        update = next(UPDATES)
        found(mirror, update, spec)
        mirror.publications.remember(now.live, digest("other"), "", update)
        mirror.publications.remember(now.live, digest("unsolved"), "", next(UPDATES))
        after = mirror.survey().upstream
        assert after is not None
        assert after.was_solved(digest("other"), after.state)
        assert after.was_solved(made, after.state)
        assert not after.was_solved(digest("unsolved"), after.state)


def test_a_rollback_says_what_it_takes_back(place: Place) -> None:
    with place.open() as mirror:
        publish(mirror, next(LEAVES))
        before, _ = publish(mirror, next(LEAVES))
        (made,), number = mirror.survey().manifests, Publication.number_of(before) + 1
        veto = mirror.publications.look_back(None).vetoes[-1]
        assert (veto.number, veto.manifests) == (number, (made,))


def test_a_mirror_has_one_writer(place: Place) -> None:
    with place.open() as mirror:
        mirror.survey()
        with pytest.raises(GmError), place.open() as other:
            other.survey()
