"""Web and worker are two accounts: each reads its own secrets, and they share the store alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from gm_analytics.engine.client import Store
from gm_analytics.updates.model import MERGE, ROLLBACK, Update
from lab.deliveries import deliver
from lab.processes import Daemon, reserve_port, wait_for
from lab.site import Site
from tests.integration.conftest import manifest
from tests.support.accounts import as_account as as_any_account
from tests.support.accounts import needs_another_account

GROUP = 61_400
WEB, WORKER, STRANGER = 61_401, 61_402, 61_403
"""Of no account of this machine: a process may have any."""
TOKEN = "lab-token"
PATIENCE = 60
PROGRAM = str(Path(sys.executable).parent / "gm-analytics")


pytestmark = needs_another_account
as_account = partial(as_any_account, gid=GROUP)


class Accounts:
    """A configuration that both accounts read, and files that one of them reads."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.etc = Path(tempfile.mkdtemp(prefix="etc-", dir=site.directory))
        self.store = Path(tempfile.mkdtemp(prefix="store-", dir=site.directory))
        self.etc.chmod(0o755)
        share(self.store)
        self.url = f"sqlite:///{self.store}/updates.sqlite"
        self.secret = self.own("webhook_secret", site.secret, WEB)
        self.token = self.own("github_token", TOKEN, WORKER)
        host = site.mirror.host
        self.key = self.own("id_ed25519", host.identity_file.read_text(), WORKER)
        self.hosts = self.own("known_hosts", host.known_hosts.read_text(), WORKER)
        self.config = self.etc / "config.yaml"
        self.write()

    def own(self, name: str, text: str, uid: int) -> Path:
        path = self.etc / name
        path.write_text(text, encoding="utf-8")
        os.chown(path, uid, GROUP)
        path.chmod(0o600)
        return path

    def write(self, **changes: Any) -> None:
        github = {"api_url": self.site.github.api_url, "raw_url": self.site.github.raw_url}
        keys = {"identity_file": str(self.key), "known_hosts": str(self.hosts)}
        data = self.site.settings(
            webhook={
                "secret_file": str(self.secret),
                "repositories": [self.site.repository.name],
            },
            github={**github, "token_file": str(self.token)},
            database_url=self.url,
            mirrors=[self.site.mirror.settings(**keys)],
            **changes,
        )
        self.config.write_text(yaml.safe_dump(data), encoding="utf-8")
        os.chown(self.config, 0, GROUP)
        self.config.chmod(0o640)

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "GM_ANALYTICS_CONFIG": str(self.config),
            "HOME": "/nonexistent",
            "USER": "gm",
        }

    def run(self, uid: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            as_account(uid, PROGRAM, *arguments),
            env=self.environment(), cwd="/", capture_output=True, text=True, check=False,
            timeout=PATIENCE,
        )  # fmt: skip

    @contextmanager
    def daemon(self, uid: int, *arguments: str) -> Iterator[Daemon]:
        log = self.etc / f"{arguments[0]}.log"
        running = Daemon(as_account(uid, PROGRAM, *arguments), log, env=self.environment())
        running.start(lambda: True)
        try:
            yield running
        finally:
            running.stop()

    @contextmanager
    def web(self, uid: int = WEB) -> Iterator[str]:
        """Run the web; give its address."""
        port = reserve_port()
        with self.daemon(uid, "web", "--port", str(port)) as running:
            url = f"http://127.0.0.1:{port}"
            wait_for(lambda: healthy(url, running), "GET /healthz", PATIENCE)
            yield url


def share(directory: Path) -> None:
    os.chown(directory, WORKER, GROUP)
    directory.chmod(0o2770)


def healthy(url: str, running: Daemon) -> bool:
    assert running.running, "it ended: " + running.log.read_text()
    try:
        return requests.get(f"{url}/healthz", timeout=5).ok
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.running() as running:
        running.github.token = TOKEN
        yield running


@pytest.fixture
def accounts(site: Site) -> Accounts:
    return Accounts(site)


def test_a_pull_request_passes_through_two_accounts_each_with_its_own_secrets(
    site: Site, accounts: Accounts
) -> None:
    """The web has neither key nor token, the worker no webhook secret; both do their work."""
    pull = site.push(manifest("leaf01"), number=401)
    with accounts.web() as url, accounts.daemon(WORKER, "worker"):
        reply = deliver(f"{url}/ci_server/updates", pull.payload(), site.secret)
        assert reply.status_code == 202, reply.text
        page = f"{url}/ci_server/updates/{reply.json()['update_id']}"

        def ended() -> Any:
            status = requests.get(page, timeout=10).json()["mirrors"][0]
            return None if status["state"] in {"waiting", "running"} else status

        status = wait_for(ended, "the update's end", PATIENCE)
        assert status["state"] == "published", status
        # Told by the worker, though the web had it stored without knowing the token.
        wait_for(lambda: said(site, pull.head_sha) == ["success", "pending"], "both statuses")
        shown = requests.get(page, headers={"Accept": "text/html"}, timeout=10)
        assert shown.ok
    assert modes(accounts.store) == {0o660}


def said(site: Site, sha: str) -> list[str]:
    return [status["state"] for status in site.github.statuses.get(sha, [])]


def modes(directory: Path) -> set[int]:
    assert {path.stat().st_gid for path in directory.iterdir()} == {GROUP}
    return {path.stat().st_mode & 0o7777 for path in directory.iterdir()}


@pytest.mark.parametrize(
    ("uid", "role", "key"),
    [(WORKER, "web", "webhook.secret_file"), (WEB, "worker", "github.token_file")],
)
def test_a_role_ends_at_its_start_where_its_account_may_not_read_its_secret(
    accounts: Accounts, uid: int, role: str, key: str
) -> None:
    done = accounts.run(uid, role)
    owner = WEB if role == "web" else WORKER
    assert done.returncode == 2, done.stderr
    assert f"{key}: reading " in done.stderr
    assert f"not allowed to account {uid}; it belongs to {owner}: run this as" in done.stderr


def test_one_process_for_both_needs_all_secrets_and_names_each_that_it_may_not_read(
    accounts: Accounts,
) -> None:
    done = accounts.run(STRANGER, "serve")
    assert done.returncode == 2, done.stderr
    for key in ("webhook.secret_file", "github.token_file", "identity_file"):
        assert f"{key}: reading " in done.stderr


def test_check_says_as_either_account_what_that_account_does_not_see(accounts: Accounts) -> None:
    web, worker = accounts.run(WEB, "check"), accounts.run(WORKER, "check")
    assert web.returncode == 0, web.stdout
    assert "ok   webhook: the secret can be read" in web.stdout
    assert "ok   github: not seen; only the worker needs it. github.token_file" in web.stdout
    assert f"ok   mirror {accounts.site.mirror.name}: not seen; only the worker" in web.stdout
    assert worker.returncode == 0, worker.stdout
    assert "ok   webhook: not seen; only the web needs it. webhook.secret_file" in worker.stdout
    assert f"ok   mirror {accounts.site.mirror.name}: SSH to " in worker.stdout


def test_check_fails_as_an_account_that_is_neither(accounts: Accounts) -> None:
    done = accounts.run(STRANGER, "check")
    assert done.returncode == 1, done.stdout
    assert "FAIL github: github.token_file: reading" in done.stdout


def test_a_wrong_key_is_still_found_by_either_account(accounts: Accounts) -> None:
    accounts.write(retry_attempts=0)
    for uid in (WEB, WORKER):
        done = accounts.run(uid, "check")
        assert done.returncode == 2
        assert "retry_attempts: found 0" in done.stderr


# --- the store ------------------------------------------------------------------------------

WRITE = """
import os, sys
os.umask(int(sys.argv[2], 8))
from gm_analytics.engine.client import Store
from gm_analytics.updates.model import MERGE, ROLLBACK, Update
store = Store(sys.argv[1])
store.enqueue(Update(sys.argv[3], "m", "icesi/packages", 1, "a" * 40))
print(",".join(sorted(record.update.id for record in store.recent())))
sys.stdout.flush()
sys.stdin.readline()
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    # Not pytest's tmp_path: both accounts must be able to reach it.
    place = Path(tempfile.mkdtemp(prefix="gm-store-"))
    share(place)
    yield place
    shutil.rmtree(place)


def writer(uid: int, url: str, umask: str, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        as_account(uid, sys.executable, "-c", WRITE, url, umask, name),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "umask"),
    [(WEB, WORKER, "0077"), (WORKER, WEB, "0077"), (WEB, WORKER, "0")],
)
def test_both_accounts_write_whoever_made_the_store(
    directory: Path, first: int, second: int, umask: str
) -> None:
    url = f"sqlite:///{directory}/updates.sqlite"
    with writer(first, url, umask, "a") as maker:
        assert maker.stdout
        assert maker.stdout.readline() == "a\n"
        # Both at once: what one has open (-wal, -shm) the other writes too.
        with writer(second, url, umask, "b") as other:
            assert other.stdout
            assert other.stdout.readline() == "a,b\n"
            assert {"updates.sqlite", "updates.sqlite-wal", "updates.sqlite-shm"} <= {
                path.name for path in directory.iterdir()
            }
            assert modes(directory) == {0o660}
            other.communicate("\n")
        maker.communicate("\n")
    assert modes(directory) == {0o660}


@pytest.mark.parametrize("umask", ["0077", "0"])
def test_a_store_that_no_group_shares_is_its_owners_alone(directory: Path, umask: str) -> None:
    directory.chmod(0o750)
    with writer(WORKER, f"sqlite:///{directory}/updates.sqlite", umask, "a") as maker:
        assert maker.stdout
        assert maker.stdout.readline() == "a\n"
        assert {path.stat().st_mode & 0o7777 for path in directory.iterdir()} == {0o600}
        maker.communicate("\n")


# --- a web that was taken over --------------------------------------------------------------


FORGED: dict[str, dict[str, Any]] = {
    "repository stranger/evil is not listed": {"repository": "stranger/evil"},
    "no mirror of this name": {"mirror": "other"},
    "publish: on_pull_request has no update of the kind merge": {"aim": MERGE},
    "the stored update is no rollback that was asked for": {"aim": ROLLBACK},
    "the stored update is not one": {"number": "../../etc"},
    "no valid head_sha": {"head_sha": "main"},
    "no valid id": {"id": "x/../../../tmp/y"},
    "no valid merged_at": {"merged_at": "2026-01-01T00:00:00Z\nx"},
}


def test_what_a_web_that_was_taken_over_stores_is_ignored_by_the_worker(
    site: Site, accounts: Accounts
) -> None:
    """Nothing of it reaches GitHub or the mirror, and no pull request is told of it."""
    head = site.push(manifest("leaf02")).head_sha
    before = len(site.github.calls)
    store = Store(accounts.url)
    wanted = {}
    for number, (said, what) in enumerate(FORGED.items(), 1):
        values = {
            "id": f"forged-{number}", "mirror": site.mirror.name, "number": number,
            "repository": site.repository.name, "head_sha": head,
        }  # fmt: skip
        forged = Update(**(values | what))
        wanted[forged.id] = said
        store.enqueue(forged)
        store.enqueue_feedback(forged, ended=False)
    with accounts.daemon(WORKER, "worker"):
        wait_for(lambda: not waiting(store), "the end of all", PATIENCE)
    ends = {record.update.id: record for record in store.recent()}
    store.close()
    for name, said in wanted.items():
        assert ends[name].state == "ignored", ends[name].message
        assert said in ends[name].message
    calls = [call for call in site.github.calls[before:] if not call.path.endswith("/pulls")]
    assert calls == [], "but for the worker's own look at what is open"


def waiting(store: Store) -> list[Any]:
    return store._client.list_workflows(status=["ENQUEUED", "PENDING"])
