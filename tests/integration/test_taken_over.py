"""A mirror that a1fa4e0 filled: the next update goes on with it, and nothing of it is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gm_analytics import settings
from gm_analytics.errors import Exit, UnreadablePublication
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.session import Session
from gm_analytics.mirror.signing import PUBLIC_NAME, Key
from gm_analytics.operations.by_hand import ByHand
from gm_analytics.service import Service
from gm_analytics.updates.model import MERGE, Outcome, Update
from gm_analytics.updates.ports import World
from gm_analytics.updates.story import perform
from lab.site import Site

from .conftest import Cli, at_once, manifest

GOLDEN = Path(__file__).parent / "golden" / "mirror-a1fa4e0.tar.gz"
"""As it lay on the mirror: publication 2 has leaf01, 3 leaf02 too and is live, the preview of pull
request 7 has leaf03."""
MERGED = Update(
    "merge-7", "", "icesi/packages", 7, "a" * 40, aim=MERGE, merge_sha="b" * 40,
    merged_at="2026-11-24T11:00:00Z",
)  # fmt: skip


@pytest.fixture(params=["plain", "signed"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with Site.running() as running:
        if request.param == "signed":
            running.sign()
        fill(running)
        yield running


def fill(site: Site) -> None:
    """Put the mirror there, with what depends on the place written as a1fa4e0 did."""
    host, home = site.mirror.host, site.mirror.signing_home
    subprocess.run(["tar", "-xzmf", GOLDEN, "-C", host.root, "--no-same-owner"], check=True)
    key = Key(home) if home else None
    if key:
        key.make(site.mirror.name)
        (host.root / PUBLIC_NAME).write_text(key.public)
    for description in host.root.glob(".p*/*/publication.json"):
        describe(site, description, key)
    if os.geteuid() == 0:
        subprocess.run(["chown", "-hR", f"{host.uid}:{host.gid}", host.root], check=True)


def describe(site: Site, description: Path, key: Key | None) -> None:
    said = json.loads(description.read_text())
    said["manifest"] = noted(site, *said["specs"], exact=said["kind"] != "add")
    (description.parent / "manifests.txt").write_text(said["manifest"] + "\n")
    if key:
        said["key"] = key.fingerprint
        repomd = description.parent / "repodata" / "repomd.xml"
        repomd.with_name("repomd.xml.asc").write_text(key.sign(repomd.read_bytes()))
    description.write_text(json.dumps(said, indent=2) + "\n")


def noted(site: Site, *specs: str, exact: bool) -> str:
    """Give the digest that a1fa4e0 noted of a manifest: of the whole section, as JSON."""
    section = {
        "reposdir": str(site.mirror.host.reposdir), "releasever": "9", "arch": None,
        "module_platform_id": None, "weak_dependencies": False, "signatures": "upstream",
        "max_age": 600,
    }  # fmt: skip
    given = site.mirror.settings()["upstream"]
    text = json.dumps(section | given, separators=(",", ":"))
    assert list(section | given) == list(section)
    return sha256(f"{wanted(*specs).digest}\n{text}\n{exact}".encode()).hexdigest()


def wanted(*names: str) -> Manifest:
    return Manifest.parse(manifest(*names).encode())


def inside(site: Site) -> Service:
    return Service(settings.Settings.model_validate(site.settings()))


def apply(site: Site, *names: str) -> Outcome:
    return inside(site).operations.apply(wanted(*names), site.mirror.name, at_once())


def numbers(site: Site) -> list[int]:
    with inside(site).mirrors.read(site.mirror.name) as session:
        return [one.number for one in session.publications.history().publications]


def seen(site: Site) -> set[str]:
    """Give the names that a new client sees."""
    return {nevra.rpartition("-1.0-")[0] for nevra in site.client().available()}


def test_the_next_update_goes_on_and_a_rollback_goes_back(site: Site) -> None:
    is_signed = site.mirror.signing_home is not None
    assert numbers(site) == [1, 2, 3]
    again = apply(site, "leaf02")
    assert again.state == ("published" if is_signed else "unchanged"), again.message
    assert apply(site, "leaf02").state == "unchanged", "what it noted itself it knows"
    before = numbers(site)
    assert before == ([1, 2, 3, 4] if is_signed else [1, 2, 3]), "none is lost, and none is twice"
    assert seen(site) == {"leaf01", "leaf02"}
    assert apply(site, "leaf04").state == "published"
    assert numbers(site) == [*before, before[-1] + 1]
    assert seen(site) == {"leaf01", "leaf02", "leaf04"}
    back = inside(site).operations.rollback(site.mirror.name, 2, at_once())
    assert back.state == "published"
    assert seen(site) == {"leaf01"}
    site.client().install("leaf01")
    with inside(site).mirrors.read(site.mirror.name) as session:
        assert session.publications.preview(7) is not None, "the preview is served on"


def test_a_preview_is_merged_as_it_was_reviewed(site: Site) -> None:
    service, steps = inside(site), []

    def step(name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        steps.append(name)
        return function(*args, **kwargs)

    update = replace(MERGED, mirror=site.mirror.name)
    world = World(ByHand(wanted("leaf03")), service.mirrors)
    assert perform(update, world, step).state == "published"
    assert "take preview" in steps
    assert "download" not in steps
    assert seen(site) == {"leaf03"}
    assert not (site.mirror.host.root / "previews" / "7").exists()


@pytest.mark.parametrize("stopped", ["sign", "prove"])
@pytest.mark.parametrize("site", ["signed"], indirect=True)
def test_what_it_was_about_to_publish_signed_is_published(site: Site, stopped: str) -> None:
    """It was stopped before a step: what it signed had no statement, and its values know none."""
    service, name = inside(site), site.mirror.name
    home = site.mirror.signing_home
    assert home is not None

    def step(name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if name == "survey":
            return unsigned_look(site)
        if name == "sign" and stopped != "sign":
            return sign_as_before(site, Key(home), args[0])
        value = function(*args, **kwargs)
        return None if name == "createrepo" else value

    update = Update("in-flight", name, "icesi/packages", 8, "c" * 40)
    world = World(ByHand(wanted("leaf05")), service.mirrors)
    assert perform(update, world, step).state == "published"
    assert seen(site) == {"leaf01", "leaf02", "leaf05"}
    assert apply(site, "leaf06").state == "published", "and the next one follows"
    assert numbers(site) == [1, 2, 3, 4, 5]
    assert apply(site, "leaf06").state == "unchanged"


def unsigned_look(site: Site) -> Any:
    config = inside(site).settings.mirror(site.mirror.name)
    unsigned = config.model_copy(update={"signing_home": None, "signing": "off"})
    with Session(unsigned, locked=False) as session:
        return session.survey()


def sign_as_before(site: Site, key: Key, update_id: str) -> None:
    """Sign repomd.xml alone; the public key was offered when the first was signed."""
    candidate = site.mirror.host.root / ".staging" / update_id / "candidate"
    repomd = candidate / "repodata" / "repomd.xml"
    signature = repomd.with_name("repomd.xml.asc")
    signature.write_text(key.sign(repomd.read_bytes()))
    if os.geteuid() == 0:
        shutil.chown(signature, site.mirror.host.uid, site.mirror.host.gid)


@pytest.mark.parametrize("site", ["plain"], indirect=True)
def test_a_publication_that_is_damaged_is_named_by_all_and_stops_none(
    site: Site, cli: Cli
) -> None:
    directory = ".publications/000002"
    damaged = site.mirror.host.root / directory / "publication.json"
    damaged.write_bytes(b'{"number": 2, \0\xff')
    listed = cli("publications")
    assert (listed.returncode, "2  " in listed.stdout) == (0, True), listed.stderr
    assert "cannot be read: " in listed.stdout
    as_json = json.loads(cli("publications", "--json").stdout)
    assert [bool(one["unreadable"]) for one in as_json] == [False, True, False]
    assert f"{directory}: cannot be read" in cli("gc", "--dry-run").stdout
    said = cli("status")
    assert f"DIFF mirror {site.mirror.name} {directory}: cannot be read: " in said.stdout
    assert apply(site, "leaf04").state == "published"
    assert cli("rollback").returncode == 0
    assert seen(site) == {"leaf01", "leaf02"}
    refused = cli("rollback", "2")
    assert refused.returncode == Exit.SET_UP
    assert f"{directory}/publication.json, which is kept, cannot be read" in refused.stderr


@pytest.mark.parametrize("site", ["plain"], indirect=True)
@pytest.mark.parametrize("text", ["", "{", '{"format": 2}'])
def test_where_the_live_one_is_damaged_the_error_names_it_and_its_cure(
    site: Site, text: str
) -> None:
    live = site.mirror.host.root / ".publications/000003/publication.json"
    live.write_text(text)
    said = "000003/publication.json, which is live, cannot be read.*bring the file back.*remove it"
    with pytest.raises(UnreadablePublication, match=said) as caught:
        apply(site, "leaf04")
    assert ("install the newer" in str(caught.value)) == ("format" in text)
    with pytest.raises(UnreadablePublication, match=said):
        numbers(site)
    live.unlink()
    assert apply(site, "leaf04").state == "published", "as the error said"
    assert seen(site) == {"leaf01", "leaf02", "leaf04"}
