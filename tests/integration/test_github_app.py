"""The service as a GitHub App, and a token that is changed under it; the stand-in checks both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.github_app import App
from lab.processes import wait_for
from lab.site import Service, Site

from .conftest import Cli, manifest
from .test_feedback import await_comment, ignored, states


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.running() as running:
        yield running


def config(site: Site, name: str, **github: str) -> Path:
    addresses = {"api_url": site.github.api_url, "raw_url": site.github.raw_url}
    database = f"sqlite:///{site.directory}/{name}.sqlite"
    return site.config(github=addresses | github, database_url=database)


def secret_file(site: Site, name: str, content: str) -> Path:
    path = site.directory / name
    path.touch(0o600)
    path.write_text(content)
    return path


def test_an_app_reads_a_private_repository_and_speaks_as_itself(site: Site, cli: Cli) -> None:
    app = site.github.app = App()
    key = secret_file(site, "app.pem", app.private_key)
    whole = config(site, "app", app_id=str(app.id), private_key_file=str(key))
    site.repository.private = True
    try:
        with Service.running(site, whole) as service:
            first = site.push(manifest("tree"), "first", number=1)
            update_id = service.deliver(first).json()["update_id"]
            assert service.end_of(update_id)["state"] == "published"
            await_comment(site, 1, update_id)
            (comment,) = site.github.comments[1]
            assert comment["user"]["login"] == "gm-mirror[bot]"
            wait_for(lambda: states(site, first.head_sha)[-1] == "success", "the last status")
            assert {"repositories": ["packages"]} in app.asked
            # GitHub takes tokens back, and its owner makes another key.
            app.tokens.clear()
            app.change_key()
            key.write_text(app.private_key)
            second = site.push(manifest("leaf01"), "first", number=1, action="synchronize")
            update_id = service.deliver(second).json()["update_id"]
            assert service.end_of(update_id)["state"] == "published"
            await_comment(site, 1, update_id)
            assert len(site.github.comments[1]) == 1, "it knows its own comment"
            _is_neutral(site, service)
        done = cli("check")
        assert f"github: GitHub App {app.id} accepted by" in done.stdout, done.stdout
        assert "adding checks" in done.stdout
        app.installation = None
        app.tokens.clear()
        assert "it is not installed there" in cli("check").stdout
    finally:
        site.repository.private = False
        site.github.app = None


def _is_neutral(site: Site, service: Service) -> None:
    away = site.push(manifest("leaf02"), "away", number=2, base_ref="experiment-7")
    reason = ignored(service, away)
    (run,) = wait_for(lambda: site.github.check_runs.get(away.head_sha), "a check run")
    said: dict[str, Any] = run["output"]
    assert (run["status"], run["conclusion"]) == ("completed", "neutral")
    assert (run["name"], said["title"]) == (
        f"gm-analytics/{site.mirror.name}",
        f"ignored: {reason}",
    )
    assert not states(site, away.head_sha)


def test_a_token_that_is_changed_in_its_file_needs_no_restart(site: Site) -> None:
    site.github.token = "first-token"
    token = secret_file(site, "token", "first-token\n")
    whole = config(site, "token", token_file=str(token))
    with Service.running(site, whole) as service:
        first = site.push(manifest("leaf03"), "changed", number=3)
        assert service.perform(first)["state"] == "published"
        site.github.token = "second-token"
        token.write_text("second-token\n")
        second = site.push(manifest("leaf04"), "changed", number=3, action="synchronize")
        assert service.perform(second)["state"] == "published"
        wait_for(lambda: states(site, second.head_sha)[-1:] == ["success"], "the last status")
