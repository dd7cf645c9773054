"""Two services, each with its own database, never publish on one mirror in turn."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from gm_analytics import settings
from gm_analytics.cli.commands import cli as main
from gm_analytics.engine.client import Store
from gm_analytics.errors import AnotherService, StoreUnavailable
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.ownership import Owner
from gm_analytics.service import Service
from lab.site import Service as Processes
from lab.site import Site
from tests.integration.conftest import at_once, manifest

Cli = Callable[..., Result]


def service(site: Site, name: str, **changes: Any) -> Service:
    """Give the service of a database of its own."""
    database = f"sqlite:///{site.directory}/{name}.sqlite"
    values = site.settings(database_url=database, service_id=None, **changes)
    return Service(settings.Settings.model_validate(values))


def cli(site: Site, name: str, *arguments: str, **options: Any) -> Result:
    values = site.settings(
        database_url=f"sqlite:///{site.directory}/{name}.sqlite", service_id=None
    )
    config = site.directory / f"{name}.yaml"
    config.write_text(yaml.safe_dump(values))
    config.chmod(0o600)
    return CliRunner().invoke(main, [*arguments, "--config", str(config)], **options)


def apply(one: Service, site: Site, *names: str) -> str:
    wanted = Manifest.parse(manifest(*names).encode())
    return one.operations.apply(wanted, site.mirror.name, at_once()).state


def live(site: Site) -> tuple[str, bytes]:
    root = site.mirror.host.root
    return str((root / "repodata").readlink()), (root / "repodata/repomd.xml").read_bytes()


def test_a_database_keeps_one_identity(tmp_path: Path) -> None:
    one, other = (f"sqlite:///{tmp_path}/{name}/x.sqlite" for name in "ab")
    assert Store(one).identity() == Store(one).identity() != Store(other).identity()
    store = Store(one)
    assert len(store.identity()) == 32
    with closing(sqlite3.connect(tmp_path / "a" / "x.sqlite")) as database, database:
        database.execute("DROP TABLE gm_identity")
    with pytest.raises(StoreUnavailable, match="reading which service this is"):
        store.identity()


def test_an_identity_from_before_the_migrations_is_kept(tmp_path: Path) -> None:
    url, columns = f"sqlite:///{tmp_path}/x.sqlite", "one INTEGER PRIMARY KEY, service TEXT"
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as database, database:
        database.execute(f"CREATE TABLE gm_identity ({columns})")
        database.execute("INSERT INTO gm_identity VALUES (1, 'known')")
    assert Store(url).identity() == "known"


def test_a_second_service_is_refused_until_it_takes_over(site: Site, tmp_path: Path) -> None:
    first, second = service(site, "first"), service(site, "second")
    name, root = site.mirror.name, site.mirror.host.root
    assert apply(first, site, "tree") == "published"
    assert apply(first, site, "nmap") == "published"
    before = live(site)
    made = json.loads((root / "repodata/../publication.json").resolve().read_text())
    assert made["service"] == first.identity

    with pytest.raises(AnotherService, match=f"by service {first.identity}") as caught:
        apply(second, site, "curl")
    assert f"gm-analytics takeover {name}" in caught.value.hint
    with pytest.raises(AnotherService):
        second.operations.plan(Manifest.parse(manifest("curl").encode()), name)
    with pytest.raises(AnotherService):
        second.operations.rollback(name, None, at_once())
    with pytest.raises(AnotherService):
        second.operations.collect(name, dry_run=False)
    with pytest.raises(AnotherService):
        apply(service(site, "third", publish="on_merge"), site, "curl")
    assert live(site) == before
    assert not list(root.glob(".staging/*"))

    # Who only reads is told, and goes on.
    shown = cli(site, "second", "publications")
    assert shown.exit_code == 0
    assert "warning: another service publishes there: publication 3" in shown.stderr
    assert cli(site, "second", "diff", "1", "2").exit_code == 0
    assert f"DIFF mirror {name} service: another" in cli(site, "second", "status").stdout
    assert f"gm-analytics takeover {name}" in cli(site, "second", "check").stdout
    assert "another service" not in cli(site, "first", "publications").output

    # Nobody takes over by mistake.
    asked = cli(site, "second", "takeover", input="y\n")
    assert (asked.exit_code, live(site)) == (2, before), "a pipe is nobody who answers"
    assert f"by service {first.identity}" in asked.stdout
    with second.mirrors.read(name) as session:
        assert session.host.owner().is_other(second.identity)
    assert not second.operations.take_over(name, Owner(".publications/000001"))

    assert cli(site, "second", "takeover", "--yes").exit_code == 0
    listed = cli(site, "second", "updates").stdout
    assert "takeover by hand" in listed
    assert f"{name}: taken over; before, " in listed
    assert live(site) == before
    with pytest.raises(AnotherService, match=f"by service {second.identity}"):
        apply(first, site, "curl")
    assert apply(second, site, "curl") == "published"
    with pytest.raises(AnotherService):
        apply(first, site, "curl")
    # Rolling back to what the first one published makes it the second one's.
    assert second.operations.rollback(name, None, at_once()).state == "published"
    with pytest.raises(AnotherService):
        apply(first, site, "curl")
    assert "nothing to take over" in cli(site, "second", "takeover", "--yes").stdout


def test_a_lost_database_is_no_other_service_where_the_configuration_names_it(site: Site) -> None:
    name = site.mirror.name
    with service(site, "second").mirrors.read(name) as session:
        owner = session.host.owner()
    values = site.settings(
        database_url=f"sqlite:///{site.directory}/new.sqlite", service_id=owner.service
    )
    found = Service(settings.Settings.model_validate(values))
    assert apply(found, site, "tree") in {"published", "unchanged"}


def test_a_publication_of_an_older_version_is_the_first_comers(site: Site) -> None:
    root = site.mirror.host.root
    directory = (root / "repodata").resolve().parent
    (directory / "service.txt").unlink(missing_ok=True)
    made = json.loads((directory / "publication.json").read_text())
    del made["service"]
    (directory / "publication.json").write_text(json.dumps(made))
    one = service(site, "fourth")
    with one.mirrors.read(site.mirror.name) as session:
        assert session.host.owner().service == ""
    one.operations.plan(Manifest.parse(manifest("tree").encode()), site.mirror.name)
    with one.mirrors.read(site.mirror.name) as session:
        assert session.host.owner().service == "", "a plan changes nothing"
    assert apply(one, site, "tree") == "unchanged"
    with pytest.raises(AnotherService, match=one.identity):
        service(site, "fifth").operations.plan(
            Manifest.parse(manifest("tree").encode()), site.mirror.name
        )


def test_a_preview_of_a_pull_request_is_refused_and_told(site: Site) -> None:
    """Also the worker's updates, after a takeover that came between two of its steps."""
    root = site.mirror.host.root
    before = live(site), sorted(root.glob("previews/*"))
    config = site.config(
        publish="on_merge",
        service_id=None,
        database_url=f"sqlite:///{site.directory}/sixth.sqlite",
    )
    with Processes.running(site, config) as running:
        status = running.perform(site.push(manifest("tree"), "previewed", number=41))
    assert status["state"] == "failed"
    assert "another service publishes there" in status["message"]
    assert (live(site), sorted(root.glob("previews/*"))) == before


@pytest.mark.parametrize(
    ("output", "owner"),
    [
        ("", Owner(published="publication ? of an unknown time, by an unnamed service")),
        (".publications/000001\n\n{", Owner(".publications/000001")),
        (".publications/000001\n$(id)\n[]", Owner(".publications/000001")),
        ("../../etc\nx\n", Owner("", "x")),
        ('.publications/000002\nb\n{"service": "a"}', Owner(".publications/000002", "b")),
        ('.publications/000002\n\n{"service": ["a"]}', Owner(".publications/000002")),
        (".publications/000002\n\n" + "[" * 100_000, Owner(".publications/000002")),
    ],
)
def test_what_a_mirror_says_of_its_owner_has_a_grammar(output: str, owner: Owner) -> None:
    found = Owner.parse(output)
    assert (found.live, found.service) == (owner.live, owner.service)
    said = Owner.parse('.publications/000001\n\n{"repository": "a\\nb", "published_at": 7}')
    assert said.published.isprintable()
