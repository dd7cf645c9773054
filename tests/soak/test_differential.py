"""Generated upstreams, each solved by a client of upstream and by one of the mirror alone.

What a manifest means is the same to both, or the service refuses it before anything is visible.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gm_analytics import settings
from gm_analytics.errors import GmError
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.printed import transaction
from gm_analytics.service import Service
from lab.client import Client
from lab.modules import ModuleDefaults, ModuleDocument, ModuleStream
from lab.packages import ARCH, NOARCH, Group, Package, build
from lab.site import Site
from lab.upstream import Upstream
from tests.integration.conftest import at_once, manifest
from tests.support.length import LONG

UPSTREAMS = 60 if LONG else 3
NAMES = tuple("abcdefgh")
MULTILIB = "i686"
_PLACES = count(1)
"""By which each upstream has releases of its own: the pool never has two files of one name."""


@dataclass(frozen=True)
class Generated:
    """An upstream, and what is asked of it."""

    packages: tuple[Package, ...]
    specs: tuple[str, ...]
    groups: tuple[Group, ...] = ()
    module: Module | None = None
    weak: bool = False


@dataclass(frozen=True)
class Module:
    """A module of two streams."""

    needs: tuple[str, ...]
    default: str

    def documents(self, version: int) -> tuple[ModuleDocument, ...]:
        """Give its documents; each stream has a package."""
        streams = (
            ModuleStream.of(
                "module",
                stream,
                Package("tool", f"{stream}.0", arch=ARCH, requires=self.needs),
                version=version,
            )
            for stream in ("3", "4")
        )
        profiles = {"3": ("common",), "4": ("common",)}
        return (*streams, ModuleDefaults("module", self.default, profiles))


def _capabilities(prefix: str, own: str) -> st.SearchStrategy[str]:
    """Give what a package may need of others: a name, a version, a file, a virtual one, rich."""
    others = st.sampled_from([f"{prefix}{name}" for name in NAMES if name != own])
    plain = st.one_of(
        others,
        st.builds("{} >= {}".format, others, st.sampled_from(("1.0", "2.0", "1:1.0"))),
        st.builds("{} <= {}".format, others, st.just("2:9")),
        st.builds("/usr/bin/{}".format, others),
        st.sampled_from([f"{prefix}virtual", f"{prefix}virtual = 2"]),
    )
    rich = st.builds("({} {} {})".format, others, st.sampled_from(("or", "if", "and")), others)
    return st.one_of(plain, plain, plain, rich)


@st.composite
def _package(draw: st.DrawFn, prefix: str, name: str) -> tuple[Package, ...]:
    """Give a package in one version or two, maybe for a second architecture."""
    full = f"{prefix}{name}"
    few = st.lists(_capabilities(prefix, name), max_size=2, unique=True).map(tuple)
    others = st.sampled_from([f"{prefix}{one}" for one in NAMES if one != name])
    rarely = st.integers(0, 7).map(lambda n: n == 0)
    first = Package(
        full,
        "1.0",
        arch=draw(st.sampled_from((NOARCH, ARCH))),
        epoch=draw(st.sampled_from((0, 0, 1))),
        requires=draw(few),
        provides=(f"{prefix}virtual = {draw(st.sampled_from((1, 2)))}",) * draw(rarely),
        conflicts=(draw(others),) * draw(rarely),
        obsoletes=(f"{draw(others)} < 1.5",) * draw(rarely),
        recommends=(draw(others),) * draw(rarely),
        programs=(f"/usr/bin/{full}",) * draw(st.booleans()),
    )
    found = [first]
    if draw(st.booleans()):
        found.append(replace(first, version="2.0", requires=draw(few)))
    if first.arch == ARCH and ARCH == "x86_64" and draw(rarely):
        found += [replace(one, arch=MULTILIB) for one in found]
    return tuple(found)


@st.composite
def upstreams(draw: st.DrawFn) -> Generated:
    prefix = "pkg-"
    packages = tuple(one for name in NAMES for one in draw(_package(prefix, name)))
    full = [f"{prefix}{name}" for name in NAMES]
    specs = draw(st.lists(st.sampled_from(full), min_size=1, max_size=3, unique=True))
    groups: tuple[Group, ...] = ()
    module = None
    if draw(st.booleans()):
        members = draw(st.lists(st.sampled_from(full), min_size=1, max_size=3, unique=True))
        groups = (Group("some", "A group", mandatory=tuple(members)),)
        specs.append("@some")
    if draw(st.booleans()):
        needs = draw(st.lists(st.sampled_from(full), max_size=1))
        module = Module(tuple(needs), draw(st.sampled_from(("", "3"))))
        specs.append(draw(st.sampled_from(("@module:4", "@module:3/common", "tool"))))
    return Generated(packages, tuple(specs), groups, module, draw(st.booleans()))


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.running() as running:
        assert published(running, Generated((), ("leaf01",))) == ""
        yield running


def offer(site: Site, made: Generated) -> Path:
    """Make the upstream, and have the mirror's host know no other one."""
    number = next(_PLACES)
    root = site.directory / f"generated-{number}"
    upstream = Upstream(root, groups=made.groups)
    root.mkdir()
    upstream.modules = made.module.documents(number) if made.module else ()
    streams = [one for one in upstream.modules if isinstance(one, ModuleStream)]
    of_streams = [package for stream in streams for package in stream.packages]
    build([*(replace(p, release=f"{number}.el9") for p in made.packages), *of_streams], root)
    upstream.refresh()
    reposdir = site.mirror.host.reposdir
    for file in reposdir.glob("*.repo"):
        file.unlink()
    upstream.repo_file(reposdir, root.as_uri())
    return root


def solved(client: Client, specs: tuple[str, ...]) -> frozenset[str] | None:
    """Give what a client would install; None if it cannot."""
    said = client.dnf("--assumeno", "install", *specs, check=False)
    rows = transaction(said.stdout)
    if not rows:
        assert "Operation aborted" not in said.stderr, said.stdout + said.stderr
        return None
    return frozenset(row.nevra for row in rows)


def published(site: Site, made: Generated) -> str:
    """Apply the manifest as the whole of the mirror; give why not, if it is refused."""
    mirror = site.mirror.settings(upstream={"weak_dependencies": made.weak, "max_age": 0})
    config = site.settings(publish="on_merge", mirrors=[mirror])
    service = Service(settings.Settings.model_validate(config))
    wanted = Manifest.parse(manifest(*made.specs).encode())
    try:
        service.operations.apply(wanted, site.mirror.name, at_once())
    except GmError as error:
        return f"{type(error).__name__}: {error}"
    return ""


_SAME: list[int] = []
"""Packages of each set that both clients got."""


@hypothesis_settings(
    max_examples=UPSTREAMS,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(made=upstreams())
def test_a_client_of_the_mirror_alone_gets_what_one_of_upstream_gets(
    site: Site, made: Generated
) -> None:
    root = offer(site, made)
    # As on EL, and as the service solves: the best version, or none.
    options = {"install_weak_deps": str(int(made.weak)), "best": "1"}
    place = site.directory / f"client-{next(_PLACES)}"
    place.mkdir()
    upstream = solved(Client(place, root.as_uri(), name="upstream", options=options), made.specs)
    live = site.mirror.host.root / "repodata"
    before = live.readlink()
    if why := published(site, made):
        assert live.readlink() == before, why
        if upstream:  # what the service refuses though upstream's clients would not
            assert why.startswith(("Obsoleted: ", "PathsHidden: ")), why
        return
    mirror = solved(site.client(options=options), made.specs)
    assert mirror == upstream
    _SAME.append(len(mirror or ()))


def test_many_of_them_were_published_and_had_dependencies() -> None:
    assert len(_SAME) >= UPSTREAMS // 4
    assert sum(count > 1 for count in _SAME) >= UPSTREAMS // 8
