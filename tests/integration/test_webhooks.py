"""Registration of webhooks: GitHub's stand-in delivers to a real web process, through no hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from gm_analytics.operations import tunnel, webhooks
from lab import ngrok
from lab.deliveries import PullRequest
from lab.github import GitHub, Repository
from lab.github_app import App
from lab.processes import Daemon, reserve_port, wait_for
from tests.support import command_line

SECRET, TOKEN = "a secret of forty characters, as it were", "gh-token-that-is-not-shown"
PUBLIC = "https://ci.example.com"
URL = f"{PUBLIC}/ci_server/updates?service=lab"
EVENTS = ["merge_group", "pull_request"]
NAME = "team/packages"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


class Bed:
    """A web process, GitHub, and which addresses of the Internet lead to that process."""

    def __init__(self, directory: Path, github: GitHub) -> None:
        self.directory, self.github = directory, github
        self.port = reserve_port()
        self.there = {urlsplit(PUBLIC).hostname}
        github.hooks.reach = self._reach

    def _reach(self, url: str) -> str | None:
        parts = urlsplit(url)
        local = parts._replace(scheme="http", netloc=f"127.0.0.1:{self.port}")
        return local.geturl() if parts.hostname in self.there else None

    def config(self, **changes: Any) -> Path:
        key = self.directory / "key"
        key.touch(0o600)
        mirror = {
            "name": "m", "identity_file": str(key), "known_hosts": str(key),
            "url": "http://m/repo/", "upstream": {"releasever": "9"},
        }  # fmt: skip
        url = self.github.api_url
        settings = {
            "webhook": {"secret": SECRET, "repositories": [NAME]}, "mirrors": [mirror],
            "github": {"api_url": url, "raw_url": self.github.raw_url, "token": TOKEN},
            "database_url": f"sqlite:///{self.directory}/updates.sqlite",
            "operator_listen": "off", "service_id": "lab", "public_url": PUBLIC, **changes,
        }  # fmt: skip
        path = self.directory / "config.yaml"
        path.touch(0o600)
        path.write_text(yaml.safe_dump(settings))
        return path

    def run(self, *arguments: str, code: int = 0, **changes: Any) -> str:
        """Run a command; nothing that it says may be a secret."""
        environment = {"GM_ANALYTICS_CONFIG": str(self.config(**changes))}
        done = command_line.run(arguments, environment=environment)
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        assert SECRET not in said
        assert TOKEN not in said
        return said

    def changes(self) -> list[tuple[str, str]]:
        """Give what changed something at GitHub, pings aside."""
        found = [(call.method, call.path.partition(f"{NAME}/")[2]) for call in self.github.calls]
        return [one for one in found if one[0] != "GET" and not one[1].endswith("/pings")]

    def hook(self, url: str = URL, **changes: Any) -> Any:
        """Have a webhook be there already, good unless `changes` say otherwise."""
        config = {"url": url, "content_type": "json", "secret": SECRET}
        given = {"config": config | changes.pop("config", {}), "events": EVENTS, **changes}
        return self.github.hooks.add(given)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    directory = tmp_path_factory.mktemp("webhooks")
    repository = Repository(directory / "git", NAME)
    repository.commit({"packages.json": "[]\n"})
    with GitHub.running(repository, TOKEN) as github:
        bed = Bed(directory, github)
        program = str(Path(sys.executable).with_name("gm-analytics"))
        command = [program, "web", "--config", str(bed.config()), "--port", str(bed.port)]
        daemon = Daemon(command, directory / "web.log")
        daemon.start(lambda: bed.github.hooks._post(URL, {}, b"")[0] == 401, 30)
        try:
            yield bed
        finally:
            daemon.stop()


@pytest.fixture
def bed(web: Bed) -> Iterator[Bed]:
    github = web.github
    web.there = {urlsplit(PUBLIC).hostname}
    github.hooks.hooks.clear()
    github.calls.clear()
    yield web
    github.rights.add("hooks")
    github.app, github.token = None, TOKEN


def test_a_webhook_is_made_and_found_as_it_should_be_after_that(bed: Bed) -> None:
    said = bed.run("webhook", "register")
    assert said == (
        f"{NAME}: created webhook {bed.github.hooks.hooks[0].id}: {URL}\n"
        "  GitHub's ping was answered with 200\n"
    )
    (made,) = bed.github.calls_to("/hooks$", "POST")
    config = {"url": URL, "content_type": "json", "insecure_ssl": "0", "secret": SECRET}
    assert json.loads(made.body) == {
        "name": "web", "active": True, "events": EVENTS, "config": config,
    }  # fmt: skip
    before = bed.changes()
    said = bed.run("webhook", "register", "--json")
    (told,) = json.loads(said)
    assert (told["done"], told["ping"]["status_code"]) == ("unchanged", 200)
    assert bed.changes() == before, "nothing was changed"
    pull = PullRequest(bed.github.repository.head(), NAME)
    bed.github.hooks.send("pull_request", pull.payload())
    said = bed.run("webhook", "status")
    assert f"{NAME}: webhook {told['webhook']['id']}: {URL}\n" in said
    assert "pull_request.opened          202 OK, " in said
    assert "not as it should be" not in said


def test_the_events_are_those_that_the_table_of_events_needs(bed: Bed) -> None:
    bed.run("webhook", "register", publish="on_merge")
    assert bed.github.hooks.hooks[0].events == ["merge_group", "pull_request", "push"]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"config": {"content_type": "form"}}, "content type: form → json"),
    ({"config": {"insecure_ssl": "1"}}, "SSL verification: off → on"),
    ({"config": {"secret": ""}}, "secret: there was none"),
    ({"config": {"secret": "another of forty characters, no less...."}}, "secret: it was another"),
    ({"events": ["push"]}, "events: push → merge_group, pull_request"),
    ({"active": False}, "active: no → yes"),
    (
        {"url": f"{PUBLIC}/ci_server/updates/"},
        f"address: {PUBLIC}/ci_server/updates/ → {URL}",
    ),
    ({"url": "https://old.ngrok.app/ci_server/updates?service=lab"}, "address: https://old."),
]


@pytest.mark.parametrize(("wrong", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_webhook_that_is_not_as_it_should_be_is_repaired(
    bed: Bed, wrong: dict[str, Any], said: str
) -> None:
    """Made by hand, say, or of a tunnel whose address nobody has any more."""
    hook = bed.hook(**wrong)
    told = bed.run("webhook", "register")
    assert told.startswith(f"{NAME}: repaired webhook {hook.id}: {URL}\n  {said}"), told
    assert "GitHub's ping was answered with 200" in told
    assert bed.changes() == [("PATCH", f"hooks/{hook.id}")]
    assert hook.config == {
        "url": URL, "content_type": "json", "insecure_ssl": "0", "secret": SECRET,
    }  # fmt: skip
    assert (hook.events, hook.active) == (EVENTS, True)
    assert "unchanged" in bed.run("webhook", "register")


def test_what_belongs_to_others_is_left_alone_unless_it_is_named(bed: Bed) -> None:
    other = bed.hook("https://u:pw@other.example.com/ci_server/updates?key=x")
    chat = bed.hook("https://chat.example.com/hooks/abc")
    said = bed.run("webhook", "register")
    ours = bed.github.hooks.hooks[-1]
    shown = "https://other.example.com/ci_server/updates?…"
    assert f"  left alone, of another service: webhook {other.id} ({shown})\n" in said
    assert str(chat.id) not in said
    assert bed.changes() == [("POST", "hooks")]
    bed.github.hooks.hooks.remove(ours)
    said = bed.run("webhook", "register", "--take-over", "77", code=2)
    assert f"no webhook 77; there are: {other.id}, {chat.id}" in said
    said = bed.run("webhook", "register", "--take-over", str(other.id))
    assert f"repaired webhook {other.id}" in said


def test_another_service_of_the_same_name_that_answers_is_not_robbed(bed: Bed) -> None:
    hook = bed.hook("https://lab-of-ana.ngrok.app/ci_server/updates?service=lab")
    bed.there.add("lab-of-ana.ngrok.app")
    said = bed.run("webhook", "register", code=4)
    assert f"webhook {hook.id} leads to https://lab-of-ana.ngrok.app/" in said
    assert "--take-over" in said
    assert bed.changes() == []
    bed.run("webhook", "register", "--take-over", str(hook.id))
    assert hook.config["url"] == URL


def test_an_address_that_github_does_not_reach_is_told(bed: Bed) -> None:
    bed.there.clear()
    said = bed.run("webhook", "register", code=5)
    assert "GitHub's ping failed: 404 Invalid HTTP Response: 404" in said
    assert f"webhooks: {NAME}: deliveries do not arrive" in said
    said = bed.run("webhook", "status", code=1)
    assert " ping " in said
    said = bed.run("webhook", "register", "--url", "http://localhost:8080", code=6)
    assert "isn't reachable over the public Internet" in said


def test_a_ping_that_github_has_not_delivered_yet_is_no_success(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "PATIENCE", 1.0)
    monkeypatch.setattr(bed.github.hooks, "deliver", lambda *_: None)
    said = bed.run("webhook", "register", code=5)
    assert "GitHub has not delivered a ping yet" in said


@pytest.mark.parametrize("command", ["register", "status"])
def test_what_github_refuses_is_said_with_the_right_that_is_needed(bed: Bed, command: str) -> None:
    bed.github.rights.discard("hooks")
    said = bed.run("webhook", command, code=6)
    assert "403 Resource not accessible by personal access token" in said
    assert "it takes the right 'Webhooks: read and write'" in said
    bed.github.rights.add("hooks")
    bed.github.answer_next("/hooks", status=404, body={"message": "Not Found"})
    said = bed.run("webhook", command, code=6)
    assert "404 Not Found (it takes the right" in said
    assert bed.changes() == []


def test_a_configuration_that_takes_no_deliveries_registers_none(bed: Bed) -> None:
    said = bed.run("webhook", "register", code=2, intake="poll")
    assert "found poll: no deliveries are taken" in said
    said = bed.run("webhook", "register", code=2, public_url=None)
    assert "no public_url; expected it there, or --url" in said
    url = {"api_url": bed.github.api_url}
    said = bed.run("webhook", "register", code=2, github=url)
    assert "no token and no app; expected one that may change webhooks" in said
    assert bed.github.calls == []


def test_a_token_of_its_own_may_register(bed: Bed) -> None:
    """So that the one that is always there need not be allowed to."""
    file = bed.directory / "token"
    file.touch(0o600)
    file.write_text(f"{TOKEN}\n")
    github = {"api_url": bed.github.api_url, "token": "another"}
    bed.run("webhook", "register", "--token-file", str(file), github=github)
    assert len(bed.github.hooks.hooks) == 1


def test_an_app_may_register_too(bed: Bed) -> None:
    bed.github.app, bed.github.token = App(), None
    key = bed.directory / "app.pem"
    key.touch(0o600)
    key.write_text(bed.github.app.private_key)
    github = {
        "api_url": bed.github.api_url, "app_id": str(bed.github.app.id),
        "private_key_file": str(key),
    }  # fmt: skip
    assert "created" in bed.run("webhook", "register", github=github)
    bed.github.rights.discard("hooks")
    said = bed.run("webhook", "register", code=6, github=github)
    assert "403 Resource not accessible by integration" in said


def test_one_repository_that_refuses_keeps_no_other_back(bed: Bed) -> None:
    both = {"secret": SECRET, "repositories": ["team/other", NAME]}
    said = bed.run("webhook", "register", code=5, webhook=both)
    assert "gm-analytics: team/other: GitHub: listing the webhooks of team/other: 404" in said
    assert f"{NAME}: created webhook" in said
    assert "webhooks: team/other: deliveries do not arrive" in said
    said = bed.run("webhook", "register", "--repository", NAME, webhook=both)
    assert "team/other" not in said
    said = bed.run("webhook", "register", "--repository", "x/y", code=2)
    assert "--repository: x/y: expected one of team/packages" in said


# --- the tunnel -------------------------------------------------------------------------------


@contextmanager
def agent(port: int, public: str, at: int = 0) -> Iterator[str]:
    """Give the address of an agent's local API."""
    server = ngrok.server(port, public, at)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_each_new_address_of_the_tunnel_is_registered(bed: Bed) -> None:
    """The agent is there later than the command, and starts again with another address."""
    at, first, second = reserve_port(), ngrok.fresh(), ngrok.fresh()
    environ = {**os.environ, "GM_ANALYTICS_CONFIG": str(bed.config(public_url=None))}
    program = "from gm_analytics.cli import tunnel, main; tunnel.EVERY = 0.1; main.main()"
    arguments = ["tunnel", "--no-start", f"--api=http://127.0.0.1:{at}", f"--port={bed.port}"]
    log = bed.directory / "tunnel.log"
    with log.open("wb") as file:
        command = [sys.executable, "-c", program, *arguments]
        watching = subprocess.Popen(command, env=environ, stderr=file)
    hooks = bed.github.hooks.hooks
    try:
        wait_for(lambda: "nothing answers there" in log.read_text(), "the first look", 30)
        for public in (first, second):
            bed.there = {urlsplit(public).hostname}
            with agent(bed.port, public, at):
                url = f"{public}/ci_server/updates?service=lab"
                wait_for(lambda: hooks and hooks[0].config["url"] == url, log.read_text(), 30)  # noqa: B023
                wait_for(lambda: f"{url}; " in log.read_text(), "the log", 30)  # noqa: B023
        assert len(hooks) == 1
        pull = PullRequest("1" * 40, NAME, number=7)
        bed.github.hooks.send("pull_request", pull.payload())
        assert hooks[0].deliveries[0]["status_code"] == 202
        watching.terminate()
        assert watching.wait(10) == 0
    finally:
        watching.kill()
    said = log.read_text()
    assert "created webhook" in said
    assert f"address: {first}/ci_server/updates?service=lab → {second}" in said
    assert SECRET not in said
    assert TOKEN not in said


def test_ngrok_is_started_where_no_agent_is_and_ends_with_the_command(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program, at = tmp_path / "ngrok", reserve_port()
    program.write_text(f"#!{sys.executable}\n" + Path(ngrok.__file__).read_text())
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("LAB_NGROK_API", str(at))
    monkeypatch.setattr(bed.github.hooks, "reach", lambda _: bed._reach(URL))
    api = f"http://127.0.0.1:{at}"
    bed.run("tunnel", "--once", "--api", api, "--port", str(bed.port))
    (hook,) = bed.github.hooks.hooks
    assert hook.config["url"].partition(".")[2] == "ngrok-free.app/ci_server/updates?service=lab"
    assert tunnel.local.read(f"{api}/api/tunnels") is None, "it has ended"
    program.unlink()
    said = bed.run("tunnel", "--once", "--api", api, code=75)
    assert "ngrok: no tunnel to port 8080: it cannot be started: No such file or directory" in said
