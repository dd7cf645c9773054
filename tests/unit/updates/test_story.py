"""The story of an update, with parts of our own that write down what was asked of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import pytest
from pydantic import TypeAdapter

from gm_analytics.errors import (
    GmError,
    LockHeld,
    MirrorUnreachable,
    NotInstallable,
    NotVisible,
    Overtaken,
    ToolsMissing,
    UnknownPackages,
    Unresolvable,
)
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.history import Held
from gm_analytics.mirror.lock import Lock
from gm_analytics.mirror.publication import (
    Closure,
    Download,
    Preview,
    Publication,
    Standing,
    Veto,
    Whereabouts,
)
from gm_analytics.mirror.solve_key import SolveKey
from gm_analytics.mirror.survey import Asked, Survey, Tools, Upstream
from gm_analytics.rpm.changes import Change, Plan, compare
from gm_analytics.rpm.package import Package, Row
from gm_analytics.updates import model, ports
from gm_analytics.updates.model import Outcome, Unseen, Update
from gm_analytics.updates.story import MAX_ATTEMPTS, perform

UPDATE = Update("u1", "m", "icesi/packages", 7, "a" * 40)
LIVE = Survey("live", None, live=".publications/000017", repomd="old", free=10**9)
NEXT = Survey("live", None, live=".publications/000018", repomd="theirs", free=10**9)
PUBLISHED = ["add", "createrepo", "prove", "switch", "see", "retain", "sweep"]
PREVIEW = replace(UPDATE, aim=model.PREVIEW)
MERGE = replace(UPDATE, aim=model.MERGE, merge_sha="b" * 40, merged_at="2026-11-24T10:00:00Z")
CLOSE = replace(UPDATE, aim=model.CLOSE)
GROUPS = "digest of the groups"


OLDER = Held(
    ".publications/000012",
    12,
    False,
    1,
    0,
    0,
    Publication(12, "u0", "a/b#3", "c" * 40, "d", ("tree", "nmap"), groups=(("tree",), ("nmap",))),
    ("d", "e"),
)


def package(name: str, size: int = 10) -> Package:
    return Package(f"{name}-1-1.noarch.rpm", name, 0, "1", "1", "noarch", size, "ff")


def closure(**states: Whereabouts) -> Closure:
    return Closure(tuple(package(name) for name in states), tuple(states.values()))


@dataclass
class World:
    """Parts, mirror and steps in one; every step is written to `steps`, every call to `calls`."""

    update: Update = UPDATE
    text: str = '["tree"]'
    newer: bool = False
    surveys: list[Survey] = field(default_factory=lambda: [LIVE])
    closure: Closure = field(default_factory=lambda: closure(tree="new"))
    groups: tuple[tuple[str, ...], ...] = (("tree",),)
    live_packages: tuple[Package, ...] = (package("zlib"),)
    live_now: dict[str, tuple[Package, ...]] = field(default_factory=dict)
    """Of publications of which other packages are live."""
    policy_text: str = "EL 9"
    fail: dict[str, list[Any]] = field(default_factory=dict)
    """Errors that a step raises, one a time it is run."""
    steps: list[str] = field(default_factory=list)
    calls: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    entered: bool = False
    number: int | None = None
    """Of the publication to go back to."""
    moved_on: bool = False
    """Whether the base's manifest is another one by now."""
    contained: bool = False
    """Whether what is live has the update's merge in its history."""
    held: Held = OLDER
    """An older publication."""
    shown: Preview | None = None
    """The pull request's preview."""
    asked: Asked = field(default_factory=Asked)
    """What upstream looks like when it is asked."""
    signing_key: str = ""
    untouched: bool = False
    """Whether the pull request keeps the manifest."""
    earlier: bool = False
    """Whether an update before this one may have made a preview."""
    signed_for: tuple[str, ...] = ()
    """Digests of the manifests that the signed publication satisfies."""

    def perform(self) -> Outcome:
        return perform(self.update, ports.World(self, self), self.step)

    @property
    def package_manager(self) -> Self:
        return self

    @property
    def publisher(self) -> Self:
        return self

    @property
    def signer(self) -> Self:
        return self

    @property
    def publications(self) -> Self:
        return self

    def step(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.steps.append(name)
        self.calls.setdefault(name, []).append(args)
        if waiting := self.fail.get(name):
            raise waiting.pop(0)
        return function(*args, **kwargs)

    # What an update needs of the world.

    def is_superseded(self, update: Update) -> bool:
        return self.newer

    def manifest(self, update: Update) -> Manifest:
        if self.untouched:
            return Manifest((), untouched=True)
        return Manifest.parse(self.text.encode())

    def may_have_preview(self, update: Update) -> bool:
        return self.earlier

    def solve_key(self, name: str, manifest: Manifest, *, exact: bool) -> SolveKey:
        key = SolveKey(manifest.digest, exact, "/etc/yum.repos.d", self.policy_text)
        return replace(key, former=(f"former {key.digest}",))

    def has_moved_on(self, update: Update) -> bool:
        return self.moved_on

    def lock(self, update: Update) -> Lock | None:
        return None

    def older(self, update: Update) -> int | None:
        return self.number

    def open(self, name: str) -> Self:
        return self

    def contains(self, update: Update, commit: str) -> bool:
        return self.contained

    def preview_url(self, name: str, number: int) -> str:
        return f"http://m/repo/previews/{number}/"

    def wait_until_visible(self, name: str, repomd: str, preview: int | None) -> None:
        pass

    # What it needs of a mirror.

    def __enter__(self) -> Self:
        self.entered = True
        return self

    def __exit__(self, *_: object) -> None:
        self.entered = False

    def survey(self) -> Survey:
        return self.surveys.pop(0)

    def download(
        self,
        update_id: str,
        specs: tuple[str, ...],
        free: int,
        number: int,
        *,
        live: str,
        exact: bool,
    ) -> Download:
        return Download(self.groups, (Row("tree", "noarch", "1-1", "upstream", 10),))

    def inspect(self, update_id: str, live: str, download: Download, number: int) -> Closure:
        return self.closure

    def compare(self, live: str, closure: Closure, exact: bool) -> Plan:
        return compare(self.live_now.get(live, self.live_packages), closure.packages, exact=exact)

    def add(self, update_id: str, packages: tuple[Package, ...]) -> None:
        pass

    def build(self, update_id: str, live: str, closure: Closure, publication: Publication) -> str:
        return GROUPS

    def prepare(self, update_id: str) -> None:
        pass

    def sign(
        self,
        update_id: str,
        live: str,
        closure: Closure,
        publication: Publication,
        *,
        built: str | None,
        manifests: tuple[str, ...],
    ) -> None:
        assert built == GROUPS
        self.signed_for = manifests

    def preview(self, number: int) -> Preview | None:
        return self.shown

    def take_preview(self, update_id: str, number: int) -> Closure:
        return Closure.of_pool(self.closure.packages)

    def build_preview(
        self, update_id: str, live: str, closure: Closure, publication: Publication
    ) -> str:
        return GROUPS

    def switch_preview(self, update_id: str, publication: Publication) -> str:
        return f"repomd of preview {publication.number}"

    def drop_preview(self, number: int) -> bool:
        return self.shown is not None

    def compare_previews(self, live: str) -> tuple[Standing, ...]:
        return (Standing("icesi/packages#8", Publication.number_of(live), "1 added"),)

    def ask_upstream(self, update_id: str) -> Asked:
        return self.asked

    def prove(self, update_id: str, groups: tuple[tuple[str, ...], ...]) -> None:
        pass

    def switch(self, update_id: str, live: str, publication: Publication) -> str:
        return f"repomd of {publication.number}"

    def rebuild(
        self, update_id: str, live: str, older: Held, closure: Closure, publication: Publication
    ) -> str:
        return GROUPS

    def look_back(self, number: int | None) -> Held:
        return self.held

    def recall(self, older: Held) -> Closure:
        return Closure.of_pool((package("tree"),))

    def obtain(
        self, update_id: str, live: str, packages: tuple[Package, ...], free: int
    ) -> Closure:
        return Closure.of_pool(packages)

    def remember(self, live: str, digest: str, mark: str, update_id: str = "") -> None:
        pass

    def retain(self, update_id: str) -> None:
        pass

    def sweep(self, update_id: str) -> None:
        pass


def digest(world: World) -> str:
    """Give what a mirror remembers of the world's manifest."""
    World.perform(world)
    return str(world.calls["createrepo"][0][3].manifest)


def test_new_packages_are_published_in_this_order() -> None:
    world = World(closure=closure(tree="new", nmap="pool", zlib="live"))
    assert world.perform() == Outcome(
        "published",
        "2 packages added to m",
        ".publications/000018",
        ("nmap-1-1.noarch", "tree-1-1.noarch"),
        20,
        changes=(
            Change("added", "nmap-1-1.noarch", 10, ""),
            Change("added", "tree-1-1.noarch", 10, ""),
        ),
    )
    assert world.steps == [
        "supersede", "fetch manifest", "survey", "download", "inspect", "compare", *PUBLISHED,
    ]  # fmt: skip
    assert not world.entered


SIGNED = ["createrepo", "sign", "prove", "switch", "see"]


def test_the_candidate_is_signed_before_it_is_proven_if_the_mirror_has_a_key() -> None:
    world = World(signing_key="F" * 40)
    assert world.perform().state == "published"
    assert [step for step in world.steps if step in SIGNED] == SIGNED
    made = world.calls["createrepo"][0][3]
    assert world.calls["sign"] == [("u1", LIVE.live, world.closure, made)]
    assert world.calls["createrepo"][0][3].key == "F" * 40
    world = World(update=PREVIEW, signing_key="F" * 40)
    assert world.perform().state == "previewed"
    assert [step for step in world.steps if step in SIGNED] == SIGNED


@pytest.mark.parametrize(("before", "now"), [("", "F" * 40), ("0" * 40, "F" * 40), ("0" * 40, "")])
@pytest.mark.parametrize("update", [UPDATE, MERGE])
def test_what_another_key_signed_is_published_anew_though_nothing_changed(
    update: Update, before: str, now: str
) -> None:
    """Also where the manifest is known to be live, and where one is signed and now none is."""
    world = World(update=update, signing_key=now, closure=closure(zlib="live"))
    known = digest(World(update=update))
    publication = json.dumps(asdict(Publication(17, "u0", "r", "c", known, (), key=before)))
    for manifests in ((known,), ()):
        world.surveys = [replace(LIVE, manifests=manifests, publication=publication)]
        assert world.perform().state == "published"
        world.surveys = [replace(LIVE, manifests=manifests, publication=publication)]
        world.signing_key = before
        assert world.perform().state == "unchanged"
        world.signing_key = now


def test_each_step_gets_what_the_one_before_found() -> None:
    world = World(closure=closure(tree="new", nmap="pool", zlib="live"))
    world.perform()
    assert world.calls["download"] == [("u1", ("tree",), 10**9, 7)]
    assert world.calls["inspect"][0][:2] == ("u1", LIVE.live)
    assert world.calls["add"] == [("u1", (package("tree"),))]
    _, live, built, publication = world.calls["createrepo"][0]
    assert (live, built) == (LIVE.live, world.closure)
    assert (publication.number, publication.update_id) == (18, "u1")
    assert (publication.repository, publication.commit) == ("icesi/packages#7", "a" * 40)
    assert publication.specs == ("tree",)
    assert world.calls["prove"] == [("u1", (("tree",),))]
    assert world.calls["switch"] == [("u1", LIVE.live, publication)]
    assert world.calls["see"] == [("m", "repomd of 18", None)]


def test_packages_that_conflict_are_published_with_a_warning() -> None:
    world = World(text='["tree", "nmap"]', groups=(("tree",), ("nmap",)))
    assert world.perform().warnings == (
        "the packages conflict with each other, so they were solved in 2 groups",
    )
    assert world.calls["prove"] == [("u1", (("tree",), ("nmap",)))]


def test_a_newer_delivery_of_the_pull_request_supersedes_before_anything_is_read() -> None:
    world = World(newer=True)
    assert world.perform() == Outcome(
        "superseded", "replaced by a newer delivery of icesi/packages#7"
    )
    assert world.steps == ["supersede"]


def test_an_empty_manifest_needs_no_mirror() -> None:
    world = World(text="[]")
    assert world.perform().state == "unchanged"
    assert world.steps == ["supersede", "fetch manifest"]


def test_a_manifest_that_the_mirror_remembers_needs_no_yum_run() -> None:
    known = Survey("live", None, live=LIVE.live, repomd="old", manifests=("x", digest(World())))
    world = World(surveys=[known])
    assert world.perform() == Outcome(
        "unchanged", "the mirror already serves this manifest", LIVE.live
    )
    assert world.steps == ["supersede", "fetch manifest", "survey", "see"]
    assert world.calls["see"] == [("m", "old", None)]


def test_what_an_earlier_version_noted_is_recognised_and_not_noted_again() -> None:
    """A worker that was stopped between `see` and the end goes on with the same steps."""
    known = replace(LIVE, manifests=(f"former {digest(World())}",))
    world = World(surveys=[known])
    assert world.perform().state == "unchanged"
    assert world.steps == ["supersede", "fetch manifest", "survey", "see"]


def test_a_preview_that_an_earlier_version_made_is_taken_as_it_is() -> None:
    world = World(MERGE)
    shown = preview_of(world)
    older = replace(shown.publication, manifest=f"former {shown.publication.manifest}")
    world.shown = replace(shown, publication=older)
    assert world.perform().state == "published"
    assert "take preview" in world.steps


def test_another_upstream_policy_is_not_what_the_mirror_remembers() -> None:
    assert digest(World()) != digest(World(policy_text="EL 10"))
    assert digest(World()) == digest(
        World(text='[{"package_name": "a", "installation_commands": "tree"}]')
    )


def test_a_closure_that_is_live_is_remembered_and_nothing_built() -> None:
    world = World(closure=closure(tree="live"), live_packages=(package("tree"),))
    assert world.perform() == Outcome(
        "unchanged", "the mirror already serves the whole closure", LIVE.live
    )
    assert world.steps[3:] == ["download", "inspect", "compare", "remember", "see", "sweep"]
    assert world.calls["remember"] == [(LIVE.live, digest(World()), "", "u1")]


def test_a_group_is_published_though_all_its_packages_are_live() -> None:
    """Its name may be missing in the metadata, and then no client could install it."""
    live = (package("tree"),)
    world = World(text='["@tools"]', closure=closure(tree="live"), live_packages=live)
    assert (world.perform().state, world.steps[6:]) == ("published", PUBLISHED)


def test_other_documents_of_modules_are_published_though_all_packages_are_live() -> None:
    """As after a version without them, or where upstream has another default stream by now."""
    live = (package("tree"),)
    there = replace(closure(tree="live"), stale=True)
    world = World(closure=there, live_packages=live)
    assert (world.perform().state, world.steps[6:]) == ("published", PUBLISHED)


def test_an_update_that_is_overtaken_begins_again_at_what_is_live_now() -> None:
    """What it says is of what it published: the other one's package is live, and stays."""
    there = replace(NEXT, upstream=Upstream())
    world = World(
        text='["tree", "nmap"]',
        closure=closure(tree="new", nmap="new"),
        surveys=[LIVE, there],
        fail={"switch": [Overtaken("m", LIVE.live, NEXT.live)]},
        live_now={NEXT.live: (package("zlib"), package("nmap"))},
    )
    outcome = world.perform()
    assert outcome.publication == ".publications/000019"
    assert outcome.added == ("tree-1-1.noarch",)
    assert outcome.message == "1 package added to m"
    assert world.steps[3:] == [
        "download", "inspect", "compare", "add", "createrepo", "prove", "switch", "survey",
        "download", "inspect", "compare", *PUBLISHED,
    ]  # fmt: skip
    assert [call[1] for call in world.calls["createrepo"]] == [LIVE.live, NEXT.live]
    assert [call[1] for call in world.calls["switch"]] == [LIVE.live, NEXT.live]
    assert world.calls["see"] == [("m", "repomd of 19", None)]


def test_a_merge_that_is_overtaken_says_what_it_takes_away_of_the_other_one() -> None:
    world = World(
        MERGE,
        surveys=[LIVE, replace(NEXT, upstream=Upstream())],
        fail={"switch": [Overtaken("m", LIVE.live, NEXT.live)]},
        live_now={NEXT.live: (package("zlib"), package("byhand"))},
    )
    assert world.perform().message == "m: 1 added, 2 removed"


def test_what_somebody_else_published_meanwhile_is_not_published_twice() -> None:
    first = World(MERGE)
    first.perform()
    there = replace(live(made(first), manifests=(made(first).manifest,)), live=NEXT.live)
    state = Upstream("c" * 64, True, ((made(first).manifest, "c" * 64),))
    world = World(
        MERGE,
        surveys=[LIVE, replace(there, upstream=state)],
        fail={"switch": [Overtaken("m", LIVE.live, NEXT.live)]},
    )
    assert world.perform().state == "unchanged"
    assert world.steps.count("switch") == 1


def test_a_merge_that_a_person_rolls_back_while_it_is_built_stays_rolled_back() -> None:
    world = World(
        MERGE,
        surveys=[LIVE, replace(rolled_back(Veto(17, "b" * 40)), upstream=Upstream())],
        fail={"switch": [Overtaken("m", LIVE.live, NEXT.live)]},
    )
    assert world.perform().state == "ignored"
    assert world.steps[-3:] == ["survey", "drop preview", "sweep"]


def test_a_later_merge_that_another_worker_published_meanwhile_stands() -> None:
    later = replace(NEXT, mark="2026-11-24T11:00:00Z " + "d" * 40, upstream=Upstream())
    world = World(
        MERGE,
        surveys=[LIVE, later],
        fail={"switch": [Overtaken("m", LIVE.live, NEXT.live)]},
    )
    assert world.perform().state == "superseded"


def test_an_update_that_is_overtaken_for_ever_fails_after_a_few_times() -> None:
    overtaken = [Overtaken("m", str(n), str(n + 1)) for n in range(MAX_ATTEMPTS)]
    begun = replace(LIVE, upstream=Upstream())
    world = World(surveys=[begun] * MAX_ATTEMPTS, fail={"switch": overtaken[:]})
    with pytest.raises(Overtaken) as caught:
        world.perform()
    assert caught.value is overtaken[-1]
    assert world.steps.count("switch") == world.steps.count("createrepo") == MAX_ATTEMPTS
    assert world.steps.count("survey") == world.steps.count("compare") == MAX_ATTEMPTS
    assert world.steps[-1] == "sweep"
    assert "see" not in world.steps


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("download", UnknownPackages("m", ["tree"])),
        ("inspect", LockHeld("m", "/x")),
        ("add", MirrorUnreachable("m", "x")),
        ("createrepo", MirrorUnreachable("m", "x")),
        ("prove", NotInstallable("m", ["tree"], "x")),
    ],
)
def test_a_failure_ends_the_update_there_and_staging_is_swept(step: str, error: GmError) -> None:
    world = World(fail={step: [error]})
    with pytest.raises(type(error)) as caught:
        world.perform()
    assert caught.value is error
    assert world.steps[-2:] == [step, "sweep"]
    assert not world.entered


@pytest.mark.parametrize("known", [False, True])
def test_what_clients_do_not_see_yet_is_published_with_a_finding(known: bool) -> None:
    first = World()
    first.perform()
    surveys = [live(made(first), manifests=(made(first).manifest,))] if known else [LIVE]
    world = World(surveys=surveys, fail={"see": [NotVisible("m", "u", "503")]})
    outcome = world.perform()
    assert outcome.state == ("unchanged" if known else "published")
    repomd = world.calls["see"][0][1]
    assert outcome.unseen == Unseen(repomd, None, NotVisible("m", "u", "x").public)
    assert outcome.warnings == (outcome.unseen.warning,)
    assert outcome.seen().warnings == ()
    assert Outcome.read(outcome.to_json()) == outcome


@pytest.mark.parametrize("step", ["retain", "sweep"])
@pytest.mark.parametrize("error", [MirrorUnreachable("m", "x"), KeyError("a defect")])
def test_housekeeping_only_warns(
    step: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(fail={step: [error]})
    assert world.perform().state == "published"
    assert world.steps[-1] == "sweep"
    assert str(error) in caplog.text


@pytest.mark.parametrize(
    "error", [UnknownPackages("m", ["nmap"]), Unresolvable("m", ["nmap"], "nothing provides x")]
)
def test_an_error_names_the_places_of_its_packages_in_the_manifest(error: GmError) -> None:
    world = World(text='["tree", "nmap"]', fail={"download": [error]})
    with pytest.raises(type(error), match="nmap at /1"):
        world.perform()


@pytest.mark.parametrize("step", ["supersede", "fetch manifest", "survey"])
def test_a_failure_before_the_download_leaves_nothing_to_sweep(step: str) -> None:
    world = World(fail={step: [LockHeld("m", "/x")]})
    with pytest.raises(LockHeld):
        world.perform()
    assert world.steps[-1] == step
    assert not world.entered


def test_a_removal_that_fails_hides_no_publication() -> None:
    world = World(fail={"retain": [MirrorUnreachable("m", "gone")]})
    assert world.perform().state == "published"
    assert world.steps[-2:] == ["retain", "sweep"]


def test_a_sweep_that_fails_hides_neither_the_outcome_nor_the_error() -> None:
    gone = MirrorUnreachable("m", "gone")
    assert World(fail={"sweep": [gone]}).perform().state == "published"
    with pytest.raises(NotInstallable):
        World(fail={"sweep": [gone], "prove": [NotInstallable("m", ["tree"], "x")]}).perform()


@pytest.mark.parametrize(
    ("update", "name"), [(UPDATE, "icesi/packages#7"), (Update("apply-1", "m"), "")]
)
def test_an_update_names_its_pull_request_if_it_has_one(update: Update, name: str) -> None:
    assert update.pull_request == name


def test_every_step_has_a_name_of_its_own() -> None:
    world = World(closure=closure(tree="new"))
    world.perform()
    assert len(world.steps) == len(set(world.steps))
    assert MAX_ATTEMPTS > 1


# --- publish: on_merge ----------------------------------------------------------------------


def live(publication: Publication, *, manifests: tuple[str, ...] = ()) -> Survey:
    text = json.dumps(asdict(publication))
    return replace(LIVE, publication=text, manifests=manifests)


def rolled_back(*vetoes: Veto, manifests: tuple[str, ...] = ()) -> Survey:
    """Give what is seen after a person's rollback."""
    return live(Publication(18, kind="rollback", vetoed=vetoes), manifests=manifests)


def made(world: World) -> Publication:
    """Give what the world's candidate was built as."""
    publication: Publication = world.calls["createrepo"][-1][3]
    return publication


def test_a_preview_is_made_beside_what_is_live() -> None:
    world = World(PREVIEW, closure=closure(tree="new", nmap="live"))
    outcome = world.perform()
    assert outcome == Outcome(
        "previewed",
        "preview of icesi/packages#7 on m: 2 added, 1 removed",
        "",
        ("nmap-1-1.noarch", "tree-1-1.noarch"),
        20,
        changes=(
            Change("added", "nmap-1-1.noarch", 10, ""),
            Change("added", "tree-1-1.noarch", 10, ""),
            Change("removed", "zlib-1-1.noarch", 10, ""),
        ),
        preview="http://m/repo/previews/7/",
        repo_file="http://m/repo/previews/7.repo",
    )
    assert world.steps[3:] == ["download", "inspect", "compare", *PUBLISHED]
    assert (made(world).number, made(world).base, made(world).commit) == (7, LIVE.live, "a" * 40)
    assert world.calls["see"] == [("m", "repomd of preview 7", 7)]


QUEUED = Update("u1", "m", "icesi/packages", 0, "a" * 40, aim=model.QUEUED, base_ref="main")
TRIED = ["add", "createrepo", "prove", "sweep"]


def test_a_merge_group_is_built_and_proven_and_neither_signed_nor_shown() -> None:
    world = World(QUEUED, signing_key="F" * 40, surveys=[replace(LIVE, vouched=True)])
    outcome = world.perform()
    assert (outcome.state, outcome.publication) == ("planned", "")
    assert outcome.message == "m: merging means 1 added, 1 removed"
    assert [change.kind for change in outcome.changes] == ["added", "removed"]
    assert world.steps[3:] == ["download", "inspect", "compare", *TRIED]
    assert (made(world).key, made(world).commit) == ("", "a" * 40)


def test_a_merge_group_is_added_to_what_is_live_where_pull_requests_are() -> None:
    world = World(replace(QUEUED, aim=model.QUEUED_ADDITION))
    assert world.perform().message == "m: merging means 1 added"
    assert world.steps[3:] == ["download", "inspect", "compare", *TRIED]
    assert world.calls["compare"][0][2] is False


def test_a_merge_group_that_changes_nothing_is_known_to() -> None:
    world = World(QUEUED, closure=closure(zlib="live"))
    assert (world.perform().state, "switch" in world.steps) == ("unchanged", False)
    world = World(QUEUED, untouched=True)
    assert world.perform().message == "the manifest is not changed here"
    assert "survey" not in world.steps


def test_a_merge_group_that_cannot_be_installed_fails() -> None:
    world = World(QUEUED, fail={"prove": [NotInstallable("m", ["tree"], "conflict")]})
    with pytest.raises(NotInstallable):
        world.perform()
    assert world.steps[-2:] == ["prove", "sweep"]


def test_an_empty_manifest_is_previewed_as_what_it_is() -> None:
    world = World(PREVIEW, text="[]", closure=closure(), groups=())
    assert [change.kind for change in world.perform().changes] == ["removed"]


def test_a_merge_publishes_exactly_the_closure_of_the_merge_commit() -> None:
    world = World(MERGE)
    outcome = world.perform()
    assert (outcome.state, outcome.message) == ("published", "m: 1 added, 1 removed")
    assert outcome.publication == ".publications/000018"
    publication = made(world)
    assert publication.exact
    assert (publication.commit, publication.mark) == ("b" * 40, MERGE.mark)
    assert world.steps[3:] == [
        "look at preview", "download", "inspect", "compare", *PUBLISHED[:-2], "drop preview",
        "retain", "sweep",
    ]  # fmt: skip
    assert world.calls["drop preview"] == [(7,)]


def preview_of(world: World, base: str = LIVE.live) -> Preview:
    """Give the preview of a world's manifest, as it was made on `base`."""
    other = replace(world, update=PREVIEW, surveys=[LIVE], steps=[], calls={})
    other.perform()
    return Preview(replace(made(other), base=base), "repomd of preview 7")


def test_a_merge_takes_the_preview_that_was_reviewed_without_a_yum_run_but_the_proof() -> None:
    world = World(MERGE)
    world.shown = preview_of(world)
    assert world.perform().state == "published"
    assert world.steps[3:] == [
        "look at preview", "take preview", "compare", *PUBLISHED[:-2], "drop preview",
        "retain", "sweep",
    ]  # fmt: skip
    assert world.calls["prove"] == [("u1", (("tree",),))], "as the preview was solved"


def test_a_merge_that_takes_the_preview_warns_of_what_it_warned_of() -> None:
    told = replace(closure(tree="new"), warnings=("1 package is not signed: tree-1-1.noarch",))
    world = World(MERGE, text='["tree", "nmap"]', groups=(("tree",), ("nmap",)), closure=told)
    world.shown = preview_of(world)
    assert world.perform().warnings == (
        "the packages conflict with each other, so they were solved in 2 groups",
        "1 package is not signed: tree-1-1.noarch",
    )


@pytest.mark.parametrize("what", ["base", "manifest", "policy"])
def test_a_merge_is_planned_again_if_the_preview_no_longer_shows_it(what: str) -> None:
    """Something was published since, other commits were merged too, or upstream is another."""
    world = World(MERGE)
    world.shown = preview_of(world, NEXT.live if what == "base" else LIVE.live)
    world.text = '["tree", "nmap"]' if what == "manifest" else world.text
    world.policy_text = "EL 10" if what == "policy" else world.policy_text
    world.perform()
    assert "download" in world.steps
    assert "take preview" not in world.steps


def test_what_is_exact_is_not_what_contains_it() -> None:
    """A mirror that was filled by additions may serve the manifest and more."""
    world = World(MERGE, surveys=[replace(LIVE, manifests=(digest(World()),))])
    assert world.perform().state == "published"


def test_a_merged_manifest_that_is_live_needs_no_yum_run() -> None:
    first = World(MERGE)
    first.perform()
    world = World(MERGE, surveys=[live(made(first), manifests=(made(first).manifest,))])
    assert world.perform() == Outcome(
        "unchanged", "the mirror already serves exactly this manifest", LIVE.live
    )
    assert world.steps[3:] == ["remember", "see", "drop preview"]


def test_a_merge_whose_closure_is_live_is_remembered() -> None:
    world = World(MERGE, closure=closure(zlib="live"))
    assert world.perform().state == "unchanged"
    assert world.steps[-5:] == ["compare", "remember", "see", "drop preview", "sweep"]


@pytest.mark.parametrize(("later", "state"), [(True, "superseded"), (False, "published")])
def test_an_older_merge_does_not_follow_a_newer_one(later: bool, state: str) -> None:
    other = replace(MERGE, merged_at="2026-11-24T10:01:01Z" if later else "2026-11-24T09:59:59Z")
    first = World(other)
    first.perform()
    world = World(MERGE, surveys=[live(made(first))])
    assert world.perform().state == state


def test_what_a_person_applies_keeps_the_mark_of_the_newest_merge() -> None:
    first = World(MERGE)
    first.perform()
    applied = Update("apply-1", "m", aim=model.Aim("person", "exact", "live", "solved"))
    world = World(applied, surveys=[live(made(first))])
    assert world.perform().state == "published"
    assert made(world).mark == MERGE.mark
    assert "drop preview" not in world.steps, "there is no pull request"


QUIET = Outcome("unchanged", "the manifest is not changed here", quiet=True)


@pytest.mark.parametrize("update", [UPDATE, PREVIEW])
def test_a_pull_request_that_keeps_the_manifest_needs_no_mirror(update: Update) -> None:
    world = World(update, untouched=True, earlier=update is UPDATE)
    assert world.perform() == QUIET
    looked = ["look for preview"] if update is PREVIEW else []
    assert world.steps == ["supersede", "fetch manifest", *looked]


@pytest.mark.parametrize("shown", [True, False])
def test_one_that_takes_its_change_back_loses_its_preview(shown: bool) -> None:
    world = World(PREVIEW, untouched=True, earlier=True)
    world.shown = preview_of(World(MERGE)) if shown else None
    gone = Outcome("closed", "the manifest is not changed here; the preview is removed")
    assert world.perform() == (gone if shown else QUIET)
    assert world.steps == ["supersede", "fetch manifest", "look for preview", "drop preview"]


def test_what_an_earlier_version_read_of_a_manifest_counts_as_a_change() -> None:
    recorded = {"entries": [{"name": "tree", "specs": ["tree"], "where": "/0"}]}
    assert not TypeAdapter(Manifest).validate_python(recorded).untouched


def test_closing_takes_the_preview_away_and_reads_no_manifest() -> None:
    world = World(CLOSE, shown=preview_of(World(MERGE)))
    assert world.perform() == Outcome("closed", "the preview of icesi/packages#7 is removed")
    assert world.steps == ["supersede", "survey", "drop preview"]
    assert world.calls["drop preview"] == [(7,)]


# --- what upstream looks like ---------------------------------------------------------------

THEN, NOW = "c" * 64, "d" * 64
"""What upstream looked like when the live set was solved, and another look."""


def known_to(update: Update, *, state: str = THEN, fresh: bool = True) -> Survey:
    """Give a mirror on which the world's manifest is live, as upstream had it then."""
    first = World(update)
    first.perform()
    key = made(first).manifest
    upstream = Upstream(state, fresh, ((key, THEN),))
    return replace(live(made(first), manifests=(key,)), upstream=upstream)


EXACT = Update("apply-1", "m", aim=model.Aim("person", "exact", "live", "solved"))


@pytest.mark.parametrize("update", [UPDATE, EXACT])
def test_a_known_manifest_is_not_solved_while_upstream_is_as_it_was(update: Update) -> None:
    world = World(update, surveys=[known_to(update)])
    assert world.perform().state == "unchanged"
    assert world.steps[3:] == ["see"]


@pytest.mark.parametrize("update", [UPDATE, EXACT])
def test_a_known_manifest_is_solved_again_once_upstream_is_known_to_have_changed(
    update: Update,
) -> None:
    world = World(update, surveys=[known_to(update, state=NOW, fresh=False)])
    assert world.perform().state == "published"
    assert world.steps[3] == "download", "which asks upstream itself"


def test_upstream_is_asked_if_what_is_known_of_it_is_old() -> None:
    old = known_to(UPDATE, fresh=False)
    world = World(surveys=[old], asked=Asked(THEN))
    assert world.perform().state == "unchanged"
    assert world.steps[3:] == ["ask upstream", "see"]
    world = World(surveys=[old], asked=Asked(NOW))
    assert world.perform().state == "published"
    assert world.steps[3:5] == ["ask upstream", "download"]


def test_an_upstream_that_does_not_answer_is_said_and_holds_up_no_manifest_that_is_live() -> None:
    world = World(surveys=[known_to(UPDATE, fresh=False)], asked=Asked(failed="Curl error (7)"))
    outcome = world.perform()
    assert outcome.state == "unchanged"
    assert outcome.warnings == ("upstream could not be asked for newer packages: Curl error (7)",)


def test_what_was_solved_again_without_a_change_is_noted_with_what_upstream_looks_like() -> None:
    there = known_to(UPDATE, state=NOW)
    world = World(surveys=[there], closure=closure(zlib="live"))
    assert world.perform().state == "unchanged"
    assert "remember" in world.steps, "or each event would solve it again"


@pytest.mark.parametrize("state", ["", NOW])
def test_a_merge_publishes_what_its_preview_promised_though_its_manifest_is_live(
    state: str,
) -> None:
    """Upstream has a newer version; an older service's preview does not say what it saw."""
    world = World(MERGE, surveys=[known_to(MERGE)])
    world.shown = replace(preview_of(World(MERGE)), upstream=state)
    outcome = world.perform()
    assert outcome.message == "m: 1 added, 1 removed"
    assert "take preview" in world.steps
    assert "ask upstream" not in world.steps


def test_a_merge_whose_preview_promised_nothing_new_needs_no_yum_run() -> None:
    world = World(MERGE, surveys=[known_to(MERGE)])
    world.shown = replace(preview_of(World(MERGE)), upstream=THEN)
    assert world.perform().state == "unchanged"
    assert world.steps[3:] == ["look at preview", "remember", "see", "drop preview"]


# --- previews, by what is published since ---------------------------------------------------


def test_the_previews_of_others_are_compared_with_what_was_published() -> None:
    world = World(MERGE, surveys=[replace(LIVE, previews=2)])
    assert world.perform().others == (Standing("icesi/packages#8", 18, "1 added"),)
    assert world.steps[-4:] == ["drop preview", "compare previews", "retain", "sweep"]
    assert world.calls["compare previews"] == [(".publications/000018",)]


def test_a_comparison_that_fails_hides_no_publication() -> None:
    gone = MirrorUnreachable("m", "gone")
    world = World(MERGE, surveys=[replace(LIVE, previews=2)], fail={"compare previews": [gone]})
    outcome = world.perform()
    assert (outcome.state, outcome.others) == ("published", ())


def test_nothing_is_compared_where_no_preview_is_served_or_nothing_was_published() -> None:
    for world in (World(MERGE), World(PREVIEW, surveys=[replace(LIVE, previews=2)])):
        world.perform()
        assert "compare previews" not in world.steps


@pytest.mark.parametrize("moved_on", [True, False])
def test_a_preview_says_that_merging_plans_again_where_the_base_moved_on(moved_on: bool) -> None:
    update = replace(PREVIEW, base_ref="main")
    seen = replace(LIVE, upstream=Upstream())
    outcome = World(update, surveys=[seen], moved_on=moved_on).perform()
    said = "the manifest of main changed since this branch began; merging plans again"
    assert outcome.warnings == ((said,) if moved_on else ())
    assert outcome.message.endswith("; merging plans again") is moved_on


def test_an_update_that_an_earlier_version_began_asks_for_no_base() -> None:
    world = World(replace(PREVIEW, base_ref="main"), moved_on=True)
    world.perform()
    assert "compare base" not in world.steps


# --- what was rolled back -------------------------------------------------------------------


def key_of(update: Update, text: str = '["tree"]') -> str:
    """Give the solve key of a manifest."""
    return (
        replace(World(update, text=text), policy_text="EL 9")
        .solve_key("m", Manifest.parse(text.encode()), exact=update.exact)
        .digest
    )


VETOES = {
    "commit": Veto(17, commit="{commit}"),
    "specs": Veto(17, specs=Manifest.parse(b'["tree"]').digest),
    "manifest": Veto(17),
}


@pytest.mark.parametrize("by", VETOES)
@pytest.mark.parametrize("update", [UPDATE, MERGE])
def test_an_event_publishes_nothing_that_was_rolled_back(update: Update, by: str) -> None:
    veto = replace(VETOES[by], commit=update.commit if by == "commit" else "")
    if by == "manifest":
        veto = replace(veto, manifests=("e" * 64, key_of(update)))
    world = World(update, surveys=[rolled_back(veto)])
    outcome = world.perform()
    assert outcome.state == "ignored"
    assert outcome.message == (
        "publication 17 was rolled back by a person: what it held is published again by a person "
        "alone, or with another manifest"
    )
    assert world.steps[3:] == (["drop preview"] if update is MERGE else [])


def test_a_manifest_that_is_live_in_an_older_solution_is_not_solved_again_after_a_rollback() -> (
    None
):
    """What was rolled back is what upstream had newer."""
    veto = Veto(17, specs=Manifest.parse(b'["tree"]').digest)
    seen = rolled_back(veto, manifests=(key_of(UPDATE),))
    world = World(surveys=[replace(seen, upstream=Upstream(NOW))])
    outcome = world.perform()
    assert (outcome.state, outcome.message) == (
        "unchanged", "the mirror already serves this manifest",
    )  # fmt: skip
    assert outcome.warnings[0].startswith("publication 17 was rolled back by a person")


def test_a_preview_says_that_its_merge_would_publish_nothing() -> None:
    veto = Veto(17, specs=Manifest.parse(b'["tree"]').digest)
    outcome = World(PREVIEW, surveys=[rolled_back(veto)]).perform()
    assert outcome.state == "previewed"
    assert outcome.warnings[0].startswith("merging would publish nothing: publication 17 was")


def test_another_manifest_publishes_and_a_merge_ends_the_veto() -> None:
    veto = Veto(17, "f" * 40, Manifest.parse(b'["nmap"]').digest)
    for update, left in ((UPDATE, (veto,)), (MERGE, ())):
        world = World(update, surveys=[rolled_back(veto)])
        assert world.perform().state == "published"
        assert made(world).vetoed == left, "added to, what was rolled back stays so"


def test_a_person_publishes_what_was_rolled_back_and_ends_the_veto() -> None:
    ours, other = Veto(17, specs=Manifest.parse(b'["tree"]').digest), Veto(16, "f" * 40)
    for mode, left in (("additive", (other,)), ("exact", ())):
        aim = model.Aim("person", mode, "live", "solved")  # type: ignore[arg-type]  # a mode
        world = World(Update("apply-1", "m", aim=aim), surveys=[rolled_back(other, ours)])
        assert world.perform().state == "published"
        assert made(world).vetoed == left


def test_a_later_merge_that_found_its_manifest_live_ends_the_veto() -> None:
    """The rolled-back merge was reverted, and is merged once more."""
    veto = Veto(17, specs=Manifest.parse(b'["tree"]').digest)
    after = replace(rolled_back(veto), mark="2026-11-24T09:00:00Z " + "d" * 40)
    assert World(MERGE, surveys=[after]).perform().state == "published"


def test_a_rollback_carries_what_it_bars() -> None:
    veto = Veto(17, "d" * 40)
    world = Past(held=replace(OLDER, vetoes=(veto,)))
    world.perform()
    assert world.calls["createrepo"][0][4].vetoed == (veto,)


# --- rollback -------------------------------------------------------------------------------


ROLLBACK = Update("rollback-1", "m", aim=model.ROLLBACK)


@dataclass
class Past(World):
    """A mirror that keeps an older publication."""

    update: Update = ROLLBACK
    held: Held = OLDER


def test_a_rollback_publishes_what_an_older_publication_holds() -> None:
    world = Past(
        surveys=[live(Publication(17, "u9", "a/b#4", "d" * 40, "", (), mark="later"))], number=12
    )
    outcome = world.perform()
    assert (outcome.state, outcome.publication) == ("published", ".publications/000018")
    assert outcome.message == "m: publication 12 again: 1 added, 1 removed"
    assert world.steps == [
        "supersede", "survey", "look back", "recall", "compare",
        "createrepo", "prove", "switch", "see", "retain", "sweep",
    ]  # fmt: skip
    assert world.calls["look back"] == [(12,)]
    _, base, older, packages, candidate = world.calls["createrepo"][0]
    assert (base, older, packages) == (LIVE.live, OLDER, Closure.of_pool((package("tree"),)))
    assert OLDER.publication is not None
    assert candidate == replace(
        OLDER.publication,
        number=18,
        update_id="rollback-1",
        kind="rollback",
        base=LIVE.live,
        mark="later",
        restores=12,
    )
    assert candidate.exact
    assert world.calls["prove"] == [("rollback-1", (("tree",), ("nmap",)))]


def test_a_rollback_to_a_repository_that_was_taken_over_proves_nothing() -> None:
    world = Past(held=replace(OLDER, publication=None))
    assert world.perform().state == "published"
    assert world.calls["prove"] == [("rollback-1", ())]


def test_a_rollback_that_is_overtaken_goes_where_the_person_meant() -> None:
    """Not to what was live when it began, which is the one before the live one by now."""
    overtaken = Overtaken("m", LIVE.live, NEXT.live)
    surveys = [LIVE, replace(NEXT, upstream=Upstream())]
    world = Past(surveys=surveys, fail={"switch": [overtaken]})
    assert world.perform().publication == ".publications/000019"
    assert world.calls["createrepo"][1][4].base == NEXT.live
    assert world.calls["look back"] == [(None,), (12,)]


def test_closing_what_has_no_preview_changes_nothing() -> None:
    assert World(CLOSE).perform() == Outcome("unchanged", "icesi/packages#7 had no preview")


def test_a_merge_that_changed_nothing_is_newer_than_what_it_found() -> None:
    """An add, its revert, and then the delivery of the add that came late."""
    world = World(MERGE, closure=closure(zlib="live"))
    world.perform()
    assert world.calls["remember"][0][2] == MERGE.mark
    late = World(
        replace(MERGE, merged_at="2026-11-24T09:58:59Z"),
        surveys=[replace(LIVE, mark=MERGE.mark)],
    )
    assert late.perform().state == "superseded"
    assert late.steps[3:] == ["drop preview"]


@pytest.mark.parametrize(("contained", "state"), [(True, "superseded"), (False, "published")])
def test_merges_of_one_second_are_ordered_by_their_commits(contained: bool, state: str) -> None:
    other = replace(MERGE, merge_sha="c" * 40)
    world = World(MERGE, surveys=[replace(LIVE, mark=other.mark)], contained=contained)
    assert world.perform().state == state
    assert world.calls["compare commits"] == [(MERGE, "c" * 40)]


@pytest.mark.parametrize(("contained", "state"), [(True, "superseded"), (False, "published")])
def test_merges_within_a_minute_are_too_since_the_time_of_a_push_may_be_late(
    contained: bool, state: str
) -> None:
    other = replace(MERGE, merge_sha="c" * 40, merged_at="2026-11-24T10:01:00Z")
    world = World(MERGE, surveys=[replace(LIVE, mark=other.mark)], contained=contained)
    assert world.perform().state == state
    assert world.calls["compare commits"] == [(MERGE, "c" * 40)]


def test_a_host_that_can_write_no_preview_says_so_before_the_download() -> None:
    tools = Tools("yum3", "/usr/bin/yum", "/usr/bin/createrepo")
    world = World(PREVIEW, surveys=[replace(LIVE, tools=tools)])
    with pytest.raises(ToolsMissing, match="createrepo_c"):
        world.perform()
    assert "download" not in world.steps
