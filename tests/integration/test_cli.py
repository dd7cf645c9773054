"""The command line, the README's curl, the database's other kind, and the store's refusals."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import requests

from gm_analytics.engine.client import Store
from gm_analytics.errors import UnknownPackages
from lab.deliveries import PullRequest
from lab.site import Service, Site

from .conftest import Cli, manifest


def test_plan_says_what_would_change_and_changes_nothing(site: Site, cli: Cli) -> None:
    planned = cli("plan", "-", stdin=manifest("tree"))
    assert planned.returncode == 0, planned.stderr
    assert re.search(r"^added +tree-1\S+  [\d.]+ kB  from upstream$", planned.stdout, re.MULTILINE)
    found = json.loads(cli("plan", "--json", "-", stdin=manifest("tree")).stdout)
    assert {change["kind"] for change in found["changes"]} == {"added"}
    assert not list(site.mirror.host.root.glob("*.rpm"))


def test_plan_tells_an_upgrade_from_an_addition(site: Site, cli: Cli) -> None:
    assert cli("apply", "-", stdin=manifest("nmap-7.92")).returncode == 0
    planned = cli("plan", "-", stdin=manifest("nmap-7.94"))
    assert re.search(
        r"^upgraded +nmap-3:7\.94\S+ .*\(now nmap-3:7\.92", planned.stdout, re.MULTILINE
    )


def test_apply_does_the_update_and_says_so_in_plain_lines(site: Site, cli: Cli) -> None:
    done = cli("apply", "-", stdin=manifest("leaf01"))
    assert done.returncode == 0, done.stderr
    assert "added leaf01-1.0-1.el9.noarch" in done.stdout.splitlines()
    assert re.search(r"^createrepo: \d+\.\d\d s$", done.stderr, re.MULTILINE)
    again = cli("apply", "-", stdin=manifest("leaf01"))
    assert again.stdout.startswith("unchanged: ")


def test_the_exit_code_tells_a_bad_manifest_from_a_failure(cli: Cli) -> None:
    bad = cli("plan", "-", stdin='["--setopt=x"]')
    assert (bad.returncode, "standard input: /0, entry 1: found" in bad.stderr) == (2, True)
    failed = cli("apply", "-", stdin='["nosuch"]')
    assert (failed.returncode, "No match for argument: nosuch" in failed.stderr) == (4, True)
    assert f"\nhint: {UnknownPackages.advice}\n" in failed.stderr
    assert cli("apply").returncode == 2
    assert cli("plan", "--config", "/nonexistent", "-", stdin="[]").returncode == 2


def test_what_is_done_by_hand_is_planned_listed_and_told_as_json(site: Site, cli: Cli) -> None:
    one = json.loads(cli("apply", "--json", "-", stdin=manifest("leaf06")).stdout)
    assert (one["state"], one["cause"], one["mirror"]) == ("published", "person", site.mirror.name)
    assert one["outcome"]["added"] == ["leaf06-1.0-1.el9.noarch"]
    cli("apply", "-", stdin=manifest("leaf07"))
    before = cli("publications").stdout
    planned = cli("rollback", "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert re.search(r"^back to publication \d+:\nremoved +leaf07-1", planned.stdout)
    told = json.loads(cli("rollback", "--dry-run", "--json").stdout)
    assert [(change["kind"], change["nevra"]) for change in told["changes"]] == [
        ("removed", "leaf07-1.0-1.el9.noarch")
    ]
    assert cli("publications").stdout == before, "it changed nothing"
    back = json.loads(cli("rollback", "--json").stdout)
    assert (back["state"], back["target"]) == ("published", "live")
    failed = cli("apply", "-", stdin='["nosuch"]')
    assert failed.returncode == 4
    listed = cli("updates").stdout
    assert re.search(r"^rollback-\S+  published  .* rollback by hand$", listed, re.MULTILINE)
    assert re.search(r"^apply-\S+  failed  .* apply by hand\n.*nosuch", listed, re.MULTILINE)
    assert one["update_id"] in cli("--config", str(site.config()), "updates").stdout
    short = one["update_id"][:12]
    assert json.loads(cli("updates", short, "--json").stdout)["update_id"] == one["update_id"]


def test_packages_says_where_a_package_is_since_when_and_for_what(cli: Cli) -> None:
    cli("apply", "-", stdin=manifest("leaf08"))
    cli("apply", "-", stdin=manifest("leaf09"))
    cli("rollback")
    kept = json.loads(cli("publications", "--json").stdout)
    with_leaf09 = kept[-2]
    (found,) = json.loads(cli("packages", "leaf09", "--json").stdout)
    assert (found["nevra"], found["live"]) == ("leaf09-1.0-1.el9.noarch", False)
    assert (found["publications"], found["wanted"]) == ([with_leaf09["number"]], ["leaf09"])
    assert found["since"] == with_leaf09["published_at"]
    (line,) = cli("packages", "leaf08").stdout.splitlines()
    first, last = kept[-3]["number"], kept[-1]["number"]
    assert re.fullmatch(
        rf"\* leaf08-1\.0-1\.el9\.noarch  \S+ k?B  in publications {first}-{last}, "
        r"since [0-9-]{10} [0-9:]{8} UTC  for leaf08",
        line,
    )
    assert len(cli("packages", "leaf0*").stdout.splitlines()) > 1
    assert cli("packages", "leaf08-1.0").stdout.splitlines() == [line]
    live = cli("packages").stdout.splitlines()
    assert len(live) == kept[-1]["packages"]
    assert all(one.startswith("* ") for one in live)
    unknown = cli("packages", "nosuch")
    assert (unknown.returncode, "in no publication that is kept" in unknown.stderr) == (4, True)


def test_check_says_a_fact_or_the_fix_for_each_part(site: Site, cli: Cli) -> None:
    cli("apply", "-", stdin=manifest("tree"))
    good = cli("check")
    assert good.returncode == 0, good.stdout
    for subject in (
        "configuration",
        "specification",
        "store",
        "github",
        "tools",
        "disk",
        "upstream",
        "web",
    ):
        assert re.search(rf"^ok   .*{subject}: ", good.stdout, re.MULTILINE), subject
    site.mirror.web.stop()
    try:
        bad = cli("check")
    finally:
        site.mirror.web.start()
    assert bad.returncode == 1
    assert re.search(r"^FAIL .* web: ", bad.stdout, re.MULTILINE)


def test_updates_retry_and_replay(site: Site, cli: Cli, tmp_path: Path) -> None:
    with Service.running(site) as service:
        failed = service.perform(site.push(manifest("nosuch")))
        shown = cli("updates", failed["update_id"])
        assert shown.returncode == 1
        assert "No match for argument: nosuch" in shown.stdout
        assert f"    hint: {UnknownPackages.advice}" in shown.stdout
        told = json.loads(cli("updates", failed["update_id"], "--json").stdout)
        assert told["mirrors"] == [failed], "an author's error has nothing of the inside"
        assert failed["error"]["hint"] == UnknownPackages.advice
        assert failed["update_id"] in cli("updates").stdout
        assert cli("retry", failed["update_id"]).returncode == 0
        assert service.end_of(failed["update_id"])["state"] == "failed"
        assert cli("retry", "unknown").returncode == 4

        payload = tmp_path / "delivery.json"
        payload.write_text(json.dumps(site.push(manifest("leaf02")).payload()))
        replayed = cli("replay", "--url", service.url, str(payload))
        assert replayed.stdout.startswith("202 ")
        update_id = json.loads(replayed.stdout[4:])["update_id"]
        assert service.end_of(update_id)["state"] == "published"
        followed = cli("updates", "--follow", update_id)
        assert re.search(r"^switch: ", followed.stderr, re.MULTILINE)


def test_the_readmes_curl_works_as_written(site: Site, tmp_path: Path) -> None:
    command = re.search(
        r"^curl .*?(?=^```)", Path("README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert command
    (tmp_path / "delivery.json").write_text(json.dumps(site.push(manifest("leaf03")).payload()))
    with Service.running(site) as service:
        text = command[0].replace("http://127.0.0.1:8080/ci_server/updates", service.url)
        done = subprocess.run(
            ["sh", "-ec", text],
            cwd=tmp_path,
            env={**os.environ, "SECRET": site.secret},
            capture_output=True,
            text=True,
            check=True,
        )
        reply = json.loads(done.stdout)
        assert reply["command_return"] == "accepted"
        assert service.end_of(reply["update_id"])["state"] == "published"


def test_without_a_secret_serve_refuses_and_says_how_to_make_one(site: Site) -> None:
    config = site.directory / "no-secret.yaml"
    config.write_text("webhook: {repositories: [a/b]}\nmirrors: []\n")
    program = str(Path(sys.executable).parent / "gm-analytics")
    done = subprocess.run(
        [program, "serve", "--config", str(config)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "openssl rand -hex 32" in done.stderr


def test_a_store_that_cannot_be_written_gives_503_and_takes_the_redelivery(site: Site) -> None:
    with Service.running(site) as service:
        database = sqlite3.connect(site.directory / "updates.sqlite", isolation_level=None)
        database.execute("BEGIN EXCLUSIVE")
        pull: PullRequest = site.push(manifest("leaf04"))
        try:
            refused = service.deliver(pull, delivery_id="stuck")
        finally:
            database.execute("ROLLBACK")
            database.close()
        assert (refused.status_code, refused.json()["command_return"]) == (503, "unavailable")
        assert service.perform(pull, delivery_id="stuck")["state"] in {"published", "unchanged"}


def test_the_same_on_postgresql_by_changing_one_url(site: Site, postgres: str) -> None:
    def identity(_: int) -> str:
        with closing(Store(postgres)) as store:
            return store.identity()

    with ThreadPoolExecutor() as threads:  # whoever asks first makes it
        known = set(threads.map(identity, range(8)))
    assert len(known) == 1
    config = site.config(database_url=postgres)
    with Service.running(site, config) as service:
        assert service.perform(site.push(manifest("leaf05")))["state"] == "published"
        assert service.perform(site.push(manifest("nosuch")))["state"] == "failed"
        health = service.url.replace("/ci_server/updates", "/healthz")
        assert requests.get(health, timeout=10).json()["status"] == "ok"
