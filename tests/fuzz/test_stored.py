"""What is stored on a mirror or sent to it, in any shape: read as it was written, or refused."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gm_analytics.errors import LockMismatch, Malformed, ManifestError
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.history import Held, History, Pool, read_sums
from gm_analytics.mirror.lock import Lock
from gm_analytics.mirror.publication import Closure, Publication
from gm_analytics.mirror.survey import Survey
from gm_analytics.rpm import grammar
from gm_analytics.rpm.package import Package
from tests.security.hostile import texts


def of(one: grammar.Grammar, *examples: str) -> st.SearchStrategy[str]:
    """Give short names of a grammar; `examples` where letters and marks alone make none."""
    if examples:
        return st.sampled_from(examples)
    return st.text("azAZ09_.+-~^", min_size=1, max_size=8).filter(one.fits)


SPECS = ("tree", "nmap-7.92", "1:a-2", "a-3:1-1.noarch", "/usr/bin/ld", "@development")
DIGESTS, DIRECTORIES = ("a" * 64, "0123456789abcdef" * 4), (".publications/000017",)
specs = st.lists(of(grammar.SPEC, *SPECS), max_size=3, unique=True).map(tuple)
packages = st.builds(
    Package,
    file=of(grammar.NAME).map("{}.rpm".format),
    name=of(grammar.NAME),
    epoch=st.integers(0, 2**32 - 1),
    version=of(grammar.VERSION),
    release=of(grammar.RELEASE),
    arch=of(grammar.ARCH),
    size=st.integers(0, 10**14),
    sha256=of(grammar.SHA256, *DIGESTS),
    source=st.one_of(st.just(""), of(grammar.REPOSITORY_ID)),
    wanted=specs,
)
publications = st.builds(
    Publication,
    number=st.integers(1, 10**9),
    update_id=of(grammar.UPDATE_ID),
    repository=st.just("owner/name#7"),
    commit=st.just("c" * 40),
    manifest=of(grammar.SHA256, *DIGESTS),
    specs=specs,
    entries=st.lists(st.tuples(st.text(max_size=20), specs), max_size=3).map(tuple),
    base=of(grammar.PUBLICATION, *DIRECTORIES),
    mark=st.one_of(st.just(""), st.just("2026-11-24T10:00:00Z " + "b" * 40)),
    groups=st.lists(specs, max_size=2).map(tuple),
    key=st.one_of(st.just(""), st.just("F" * 40)),
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
PLACES = st.integers(0, 9)


@given(st.lists(packages, max_size=4))
def test_packages_come_back_from_their_lines(some: list[Package]) -> None:
    assert Package.parse("".join(package.line() + "\n" for package in some)) == tuple(some)


@given(packages, PLACES, texts)
def test_a_field_of_a_line_is_what_it_should_be_or_is_refused(
    package: Package, place: int, text: str
) -> None:
    fields = package.line().split("\t")
    fields[place] = text
    with suppress(Malformed):
        found = Package.from_line("\t".join(fields))
        assert "\n" not in found.line()
        assert found.line().split("\t") == [str(int(f)) if i in {2, 6} else f
                                            for i, f in enumerate(fields)]  # fmt: skip
        assert grammar.FILE.fits(found.file)
        assert grammar.NEVRA.fits(found.nevra) or len(found.nevra) > grammar.NEVRA.longest


@given(st.lists(st.one_of(texts, packages.map(Package.line)), max_size=5).map("\n".join))
def test_any_packages_txt_is_read_or_refused(text: str) -> None:
    with suppress(Malformed):
        for package in Package.parse(text):
            assert "/" not in package.file
            assert not package.file.startswith(("-", "."))
    with suppress(Malformed):
        Closure.parse(text, ())


@given(publications)
def test_a_publication_comes_back_from_its_file(publication: Publication) -> None:
    text = json.dumps(asdict(publication))
    assert Publication.parse(text) == publication
    assert Publication.parse(json.dumps({**asdict(publication), "of_a_later_version": [1]}))


@given(publications, st.sampled_from(sorted(Publication.__dataclass_fields__)), json_values)
def test_a_forged_publication_names_specs_alone(
    publication: Publication, field: str, value: Any
) -> None:
    with suppress(Malformed):
        found = Publication.parse(json.dumps({**asdict(publication), field: value}))
        assert found is not None
        named = [*found.specs, *(spec for group in found.groups for spec in group)]
        assert all(map(grammar.SPEC.fits, named))
        assert grammar.optional(grammar.PUBLICATION).fits(found.base)


@given(st.one_of(texts, json_values.map(json.dumps)))
def test_any_publication_json_is_read_or_refused(text: str) -> None:
    with suppress(Malformed):
        Publication.parse(text)


FACTS = st.sampled_from(
    ["now 5", "live .publications/000001/repodata", "left 1.0 .publications/000001",
     "made 2 .previews/4-u1/packages.txt", "count 3 .publications/000001/packages.txt",
     "served 0 ../.previews/4-u1", ".publications/000001/manifests.txt:" + "a" * 64,
     '.publications/000001/publication.json:{"number": 1}']
)  # fmt: skip
HISTORY = st.one_of(
    FACTS,
    texts,
    st.builds("{} {} {}".format, st.sampled_from(["left", "made", "count", "now"]), texts, texts),
    st.builds(".publications/{}/publication.json:{}".format, texts, texts),
)


@given(st.lists(HISTORY, max_size=10).map("\n".join))
def test_any_history_names_our_directories_or_is_refused(output: str) -> None:
    with suppress(Malformed):
        found = History.parse(output)
        for held in (*found.publications, *found.previews):
            kind = grammar.PREVIEW if held.is_preview else grammar.PUBLICATION
            assert kind.fits(held.directory)
            assert held.packages >= 0


POOL = st.one_of(
    texts,
    st.sampled_from(["size\t1", "before\t2", "after\t3", "a-1-1.noarch.rpm\t5\t6.0"]),
    st.builds("{}\t{}\t{}".format, texts, texts, texts),
)


@given(st.lists(POOL, max_size=8).map("\n".join))
def test_any_list_of_a_pool_names_rpms_or_is_refused(output: str) -> None:
    with suppress(Malformed):
        assert all(grammar.FILE.fits(rpm.file) for rpm in Pool.parse(output).unnamed)
    with suppress(Malformed):
        assert all(map(grammar.FILE.fits, read_sums(output)))


SURVEY = st.one_of(
    texts,
    st.builds("{} {}".format, st.sampled_from(
        ["manager", "createrepo", "uid", "free", "state", "state live", "repomd", "mark",
         "manifest", "missing", "userns"]), texts),
    st.sampled_from(["state empty", "manager /usr/bin/dnf", "publication", "{}"]),
)  # fmt: skip


@given(st.lists(SURVEY, max_size=8).map("\n".join), st.booleans())
def test_any_survey_is_read_or_refused(output: str, helper: bool) -> None:
    with suppress(Malformed):
        found = Survey.parse(output, helper)
        assert not found.live or grammar.PUBLICATION.fits(found.live)
        assert found.tools is None or grammar.ABSOLUTE_PATH.fits(found.tools.createrepo)


@given(publications, st.lists(packages.filter(lambda p: grammar.NEVRA.fits(p.nevra)), max_size=3))
def test_a_lock_file_comes_back(publication: Publication, some: list[Package]) -> None:
    held = Held(".publications/000001", 1, True, 1, 0, 0, publication)
    lock = Lock.of("mirror", held, some)
    assert Lock.parse(lock.text().encode()) == lock


@given(st.one_of(texts.map(lambda text: text.encode("utf-8", "replace")), st.binary(),
                 json_values.map(lambda value: json.dumps(value).encode())))  # fmt: skip
def test_any_lock_file_and_manifest_is_read_or_refused(text: bytes) -> None:
    with suppress(LockMismatch):
        Lock.parse(text)
    with suppress(ManifestError):
        for spec in Manifest.parse(text).specs:
            assert grammar.SPEC.fits(spec)


@given(st.lists(st.one_of(texts, st.fixed_dictionaries(
    {"package_name": texts, "installation_commands": st.one_of(texts, st.lists(texts))})),
    max_size=4))  # fmt: skip
def test_a_manifest_names_specs_alone_or_is_refused(entries: list[Any]) -> None:
    with suppress(ManifestError):
        for spec in Manifest.parse(json.dumps(entries).encode()).specs:
            assert grammar.SPEC.fits(spec)
            assert not spec.startswith("-")
