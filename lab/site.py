"""The whole lab: upstream, mirror host, web servers, GitHub, a client and the service itself."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import requests
import yaml

from lab.client import Client
from lab.deliveries import PullRequest, deliver
from lab.github import GitHub, Repository
from lab.mirror_host import MirrorHost
from lab.processes import Daemon, reserve_port, run, terminable, wait_for
from lab.upstream import SigningKey, Upstream, built_catalog
from lab.web import WebServer

PATIENCE = 60.0
"""Seconds for an update to end."""
PUBLIC_NAME = "RPM-GPG-KEY-gm-mirror"
UNENDED = frozenset({"waiting", "running"})


class Mirror:
    """A mirror host and the web server that offers its repository."""

    def __init__(self, name: str, host: MirrorHost, web: WebServer) -> None:
        self.name = name
        self.host = host
        self.web = web
        self.signing_home: Path | None = None
        self.signing = "on"

    @property
    def key_url(self) -> str:
        """Where clients find the key that signs the metadata."""
        return f"{self.web.url}{PUBLIC_NAME}"

    def forget_policy(self, publish: str) -> None:
        """Have what is live say nothing of another policy, as an older version's does."""
        live = self.host.root / "repodata" / ".." / "publication.json"
        if self.signing_home or not live.exists():
            return
        try:
            made = json.loads(live.read_text(encoding="utf-8"))
        except ValueError:  # a test has damaged it
            return
        if made.get("made_with", {}).get("publish", publish) != publish:
            live.write_text(json.dumps({**made, "made_with": {}}), encoding="utf-8")

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Give its part of the service's configuration."""
        upstream = {"reposdir": str(self.host.reposdir), "releasever": "9"}
        return {
            "name": self.name,
            "host": self.host.host,
            "port": self.host.port,
            "user": self.host.user,
            "identity_file": str(self.host.identity_file),
            "known_hosts": str(self.host.known_hosts),
            "root": str(self.host.root),
            "url": self.web.url,
            "upstream": upstream | changes.pop("upstream", {}),
            **({"signing_home": str(self.signing_home)} if self.signing_home else {}),
            **({"signing": self.signing} if self.signing != "on" else {}),
            **changes,
        }


class Site:
    """One lab in one temporary directory; everything it starts ends with its block."""

    def __init__(self, directory: Path, stack: ExitStack, key: SigningKey | None) -> None:
        self.directory = directory
        self._stack = stack
        self.secret = secrets.token_hex(32)
        self.upstream = Upstream.copy(built_catalog(), directory / "upstream", key)
        self.upstream_web = stack.enter_context(
            WebServer.serving(directory / "upstream-web", self.upstream.root, "/upstream/")
        )
        self.repository = Repository(directory / "git")
        self.repository.commit({"packages.json": "[]\n"}, message="Start the list of packages")
        self.github = stack.enter_context(GitHub.running(self.repository))
        self.mirrors: list[Mirror] = []
        self.mirror = self.add_mirror("mirror.icesi.edu.co")

    @classmethod
    @contextmanager
    def running(cls, key: SigningKey | None = None) -> Iterator[Self]:
        """Bring everything but the service up. With a key, upstream's packages are signed."""
        directory = Path(tempfile.mkdtemp(prefix="gm-lab-"))
        directory.chmod(0o755)
        try:
            with terminable(), ExitStack() as stack:
                yield cls(directory, stack, key)
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def add_mirror(self, name: str, tmpfs_mb: int | None = None) -> Mirror:
        """Start another mirror host with its web server."""
        place = self.directory / name
        host = self._stack.enter_context(MirrorHost.running(place / "host", tmpfs_mb=tmpfs_mb))
        self.upstream.repo_file(host.reposdir, self.upstream_web.url)
        web = self._stack.enter_context(WebServer.serving(place / "web", host.root, "/repo/"))
        self.mirrors.append(Mirror(name, host, web))
        return self.mirrors[-1]

    def sign(self, mirror: Mirror | None = None) -> None:
        """Have a mirror's metadata signed from now on; `gm-analytics key` makes the key."""
        target = mirror or self.mirror
        home = Path(tempfile.mkdtemp(prefix="key-", dir=self.directory)) / "home"
        target.signing_home = home
        # gpg's agent would live on without its directory for a while.
        kill = ["gpgconf", "--homedir", str(home), "--kill", "all"]
        self._stack.callback(run, kill, check=False)

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Give the service's configuration, with top-level keys replaced by `changes`.

        Tests change `publish` as they like; without this the next update would be refused.
        """
        for mirror in self.mirrors:
            mirror.forget_policy(str(changes.get("publish", "on_pull_request")))
        return {
            "webhook": {"secret": self.secret, "repositories": [self.repository.name]},
            "github": {"api_url": self.github.api_url, "raw_url": self.github.raw_url},
            "database_url": f"sqlite:///{self.directory}/updates.sqlite",
            # What is done on `main` without a delivery is nobody's to find, unless a test says so.
            "reconcile_seconds": 0,
            # Tests that want a store of their own are the same service to the mirror.
            "service_id": "lab",
            # Several labs may run at a time, and `check` would ask another's web.
            "operator_listen": "off",
            "metrics_listen": "off",
            # Looks of a worker are among what tests count on a host, unless one wants them.
            "look_seconds": 0,
            "retry_seconds": 0.2,
            # A test that ends a worker in the middle of an update wants it to be interrupted.
            "drain_seconds": 0,
            "mirrors": [mirror.settings() for mirror in self.mirrors],
            **changes,
        }

    def config(self, **changes: Any) -> Path:
        """Write the configuration file, readable by its owner alone."""
        path = self.directory / "gm_analytics.yaml"
        path.touch(0o600)
        path.write_text(yaml.safe_dump(self.settings(**changes)), encoding="utf-8")
        return path

    def client(self, mirror: Mirror | None = None, path: str = "", **options: Any) -> Client:
        """Make a client with an empty system that knows only the mirror, or a path below it.

        `options` are those of `Client`.
        """
        place = Path(tempfile.mkdtemp(prefix="client-", dir=self.directory))
        return Client(place, (mirror or self.mirror).web.url + path, **options)

    def push(self, manifest: str, branch: str = "change", **pull: Any) -> PullRequest:
        """Commit a packages.json on a branch; give the pull request for it."""
        sha = self.repository.commit({"packages.json": manifest}, branch)
        return PullRequest(sha, self.repository.name, head_ref=branch, **pull)

    def merge(self, pull: PullRequest) -> PullRequest:
        """Merge a pull request's branch; give what GitHub says of it then."""
        sha = self.repository.merge(pull.head_ref)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return replace(pull, action="closed", merged=True, merge_commit_sha=sha, merged_at=now)


class Service:
    """The service in processes of its own, as a user starts it.

    `programs` is the directory of the installation to run, by default that of this interpreter;
    `cwd` the directory that they start in.
    """

    def __init__(
        self, site: Site, config: Path, programs: Path | None = None, cwd: Path | None = None
    ) -> None:
        self.site = site
        self.config = config
        self._programs = programs or Path(sys.executable).parent
        self._cwd = cwd
        self.port = reserve_port()
        self.operators = ""
        """Where operators are answered, if `start` is to say so: HOST:PORT."""
        self.daemons: list[Daemon] = []
        self._environment = {**os.environ, "GM_ANALYTICS_CONFIG": str(config)}

    @classmethod
    @contextmanager
    def running(
        cls,
        site: Site,
        config: Path | None = None,
        split: bool = False,
        operators: bool = False,
    ) -> Iterator[Self]:
        """Run `gm-analytics serve`; with `split`, `connexion run` and `gm-analytics worker`.

        With `operators`, they are answered on a port of this service's own.
        """
        service = cls(site, config or site.config())
        if operators:
            service.operators = f"127.0.0.1:{reserve_port()}"
        try:
            service.start_split() if split else service.start()
            yield service
        finally:
            service.stop()

    def start(self) -> None:
        """Start web and worker in one process and wait until it takes deliveries."""
        more = ("--operator-listen", self.operators) if self.operators else ()
        self._start("gm-analytics", "serve", "--port", str(self.port), *more)
        self._await_web()

    def start_web(self) -> None:
        """Start the web alone: deliveries are stored, and wait."""
        self._start("gm-analytics", "web", "--port", str(self.port))
        self._await_web()

    def start_split(self) -> None:
        """Start the web through Connexion's own command, and a worker beside it."""
        self._start("connexion", "run", "swagger/indexer.yaml", "-p", str(self.port))
        self._start("gm-analytics", "worker")
        self._await_web()

    def stop(self, kill: bool = False) -> None:
        """Stop every process; `kill` gives them no time."""
        for daemon in self.daemons:
            daemon.stop(kill=kill)
        self.daemons.clear()

    @property
    def url(self) -> str:
        """Where deliveries go."""
        return f"http://127.0.0.1:{self.port}/ci_server/updates"

    @property
    def log(self) -> str:
        """What the processes printed."""
        paths = sorted(self.site.directory.glob("service-*.log"))
        return "".join(path.read_text(errors="replace") for path in paths)

    def deliver(self, pull: PullRequest, **options: Any) -> requests.Response:
        """Send the delivery of a pull request."""
        return deliver(self.url, pull.payload(), self.site.secret, **options)

    def show(self, update_id: str) -> dict[str, Any]:
        """Read an update's status, of its first mirror."""
        reply = requests.get(f"{self.url}/{update_id}", timeout=10)
        reply.raise_for_status()
        status: dict[str, Any] = reply.json()["mirrors"][0]
        return status

    def end_of(self, update_id: str, patience: float = PATIENCE) -> dict[str, Any]:
        """Wait until an update has ended and give its status."""

        def ended() -> dict[str, Any] | None:
            status = self.show(update_id)
            return None if status["state"] in UNENDED else status

        return wait_for(ended, f"update {update_id} to end", patience) or {}

    def perform(self, pull: PullRequest, **options: Any) -> dict[str, Any]:
        """Deliver, and wait for the update's end."""
        reply = self.deliver(pull, **options)
        reply.raise_for_status()
        return self.end_of(reply.json()["update_id"])

    def _start(self, program: str, *arguments: str) -> None:
        number = len(list(self.site.directory.glob("service-*.log")))
        log = self.site.directory / f"service-{number}.log"
        path = str(self._programs / program)
        daemon = Daemon([path, *arguments], log, env=self._environment, cwd=self._cwd)
        self.daemons.append(daemon.start(lambda: True))

    def _await_web(self) -> None:
        wait_for(self._healthy, f"the service on port {self.port}", PATIENCE)

    def _healthy(self) -> bool:
        if not all(daemon.running for daemon in self.daemons):
            raise RuntimeError(f"the service ended: {self.log}")
        try:
            address = f"http://127.0.0.1:{self.port}/healthz"
            return requests.get(address, timeout=5).ok
        except requests.ConnectionError:
            return False
