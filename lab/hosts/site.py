"""The four hosts together: names, addresses, what Chef is told, and the world outside."""

from __future__ import annotations

import contextlib
import fcntl
import http.server
import json
import logging
import secrets
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

import requests
import yaml

from lab.deliveries import PullRequest, deliver
from lab.github import GitHub, Repository, certificates, make_certificate
from lab.hosts import chef, network, rootfs
from lab.hosts.machine import RUN, Machine
from lab.hosts.needs import cgroup_trees
from lab.hosts.report import expect
from lab.hosts.shell import CACHE, CHECKOUT, LOGS, LabError, run
from lab.processes import wait_for
from lab.upstream import SigningKey, Upstream, built_catalog

_DATA: dict[str, Any] = yaml.safe_load((CHECKOUT / "lab/site.yaml").read_text("utf-8"))
_ROWS: dict[str, dict[str, Any]] = _DATA["machines"]
NAMES = tuple(_ROWS)
"""In the order in which they come up."""

STATIC: dict[str, str] = {n: row["address"] for n, row in _ROWS.items() if "address" in row}
RESERVED: dict[str, str] = {
    name: row["reservation"] for name, row in _ROWS.items() if "reservation" in row
}
POOL: tuple[str, str] = (
    _DATA["dhcp_server"]["pool"]["first"],
    _DATA["dhcp_server"]["pool"]["last"],
)
MIRROR_NAME = "mirror.icesi.edu.co"
REPOSITORY_URL = f"http://{MIRROR_NAME}/repo/"
REPOSITORY_ID = "gm-mirror"
KEYS = "/etc/gm_keys"
SERVICE = "http://127.0.0.1:8080"
"""On the CI host's loopback; ngrok's agent, which is not here, would lead GitHub to it."""

UNENDED = frozenset({"waiting", "running"})
_LOCK = Path("/run/lock/gm-analytics-lab.lock")
_PARTS = ("cookbooks", "gm_analytics", "swagger")
_FILES = ("LICENSE", "README.md", "pyproject.toml", "requirements.txt")


# The Vagrantfile's own code says what each machine is told; it runs on the hosts' Ruby.
_TELL = """
require 'json'
site = Site.new(Site.merge(YAML.safe_load(ENV.fetch('SITE')), JSON.parse(ENV.fetch('CHANGES'))))
puts JSON.generate(site.machines.to_h { |row|
  [row.name, { 'run_list' => row.run_list }.merge(site.json(row))]
})
"""


def mac(name: str) -> str:
    """Give a host's MAC address: the site's, or one that is locally administered."""
    return str(_ROWS[name].get("mac") or f"02:00:c0:a8:83:{NAMES.index(name) + 0x66:02x}")


class Outside:
    """What the hosts meet at .1: a distribution's signed packages, and the stand-in for GitHub."""

    def __init__(self, upstream: Upstream, upstream_url: str, github: GitHub) -> None:
        self.upstream = upstream
        self.upstream_url = upstream_url
        self.github = github
        self.repository = github.repository

    @classmethod
    @contextmanager
    def running(cls, place: Path, namespace: str = network.OUTSIDE) -> Iterator[Self]:
        """Serve both in a namespace, the bridge's, until the block ends."""
        with ExitStack() as stack:
            key = stack.enter_context(SigningKey.make())
            upstream = Upstream.copy(built_catalog(), place / "upstream", key)
            shutil.copyfile(key.public_key, upstream.root / key.public_key.name)
            repository = Repository(place / "git")
            repository.commit({"packages.json": "[]\n"}, message="Start the list of packages")
            token = secrets.token_hex(20)
            # A token goes over TLS alone.
            certificate = make_certificate(place, network.OUTSIDE_ADDRESS)
            # What serves stays in that namespace; this thread comes back.
            with network.inside(namespace):
                url = stack.enter_context(_served(upstream.root))
                standin = GitHub.running(repository, token, network.OUTSIDE_ADDRESS, certificate)
                github = stack.enter_context(standin)
            yield cls(upstream, url, github)

    @property
    def gpgkey_url(self) -> str:
        """Where the key is that upstream's packages are signed with."""
        return f"{self.upstream_url}RPM-GPG-KEY-lab"


class Pipeline:
    """What a pull request goes through: the world outside, and the CI machine's web unit.

    The unit listens on the loopback of `namespace`.
    """

    patience = 120.0
    """Seconds for an update to end."""

    def __init__(self, outside: Outside, namespace: str) -> None:
        self.outside = outside
        self.namespace = namespace
        self.secret = secrets.token_hex(32)

    def attributes(self) -> dict[str, dict[str, Any]]:
        """Give the cookbooks' attributes that lead to this world outside."""
        upstream = {
            "id": "upstream",
            "name": "Upstream of the lab",
            "baseurl": self.outside.upstream_url,
            "gpgcheck": True,
            "gpgkey": self.outside.gpgkey_url,
        }
        github = self.outside.github
        return {
            "mirror_server": {"repositories": [upstream]},
            "ci_server": {
                "wheels": rootfs.WHEELS,
                "webhook_secret": self.secret,
                "github_token": github.token,
                "github_ca": certificates(github.certificate) if github.certificate else None,
                "repositories": [self.outside.repository.name],
                "extra_config": {"github": {"api_url": github.api_url, "raw_url": github.raw_url}},
            },
            "mirror_client": {"gpgcheck": True, "gpgkey": self.outside.gpgkey_url},
        }

    def push(self, manifest: str, branch: str, number: int) -> PullRequest:
        """Commit a packages.json on a branch; give the pull request for it."""
        sha = self.outside.repository.commit({"packages.json": manifest}, branch)
        return PullRequest(sha, self.outside.repository.name, number=number)

    def deliver(self, pull: PullRequest) -> requests.Response:
        """Send a signed delivery to the web unit, on the CI machine's loopback."""
        with network.inside(self.namespace):
            return deliver(f"{SERVICE}/ci_server/updates", pull.payload(), self.secret)

    def end_of(self, update_id: str) -> dict[str, Any]:
        """Wait until an update has ended and give its status."""

        def ended() -> dict[str, Any] | None:
            reply = self._get(f"/ci_server/updates/{update_id}")
            reply.raise_for_status()
            status: dict[str, Any] = reply.json()["mirrors"][0]
            return None if status["state"] in UNENDED else status

        return wait_for(ended, f"update {update_id} to end", self.patience) or {}

    def healthy(self) -> bool:
        """Tell whether the web unit answers."""
        try:
            return self._get("/healthz").ok
        except requests.ConnectionError:
            return False

    def _get(self, path: str) -> requests.Response:
        with network.inside(self.namespace):
            return requests.get(SERVICE + path, timeout=10)


class Site(Pipeline):
    """The hosts of one run, and what Chef is told about each."""

    def __init__(self, outside: Outside) -> None:
        super().__init__(outside, network.namespace("ci_server"))
        self.machines = _machines()
        self.backend = "isc"

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        """Make the network and the world outside; at the end remove them and every host.

        Raises:
            LabError: another run is under way.

        """
        with _alone(), ExitStack() as stack:
            down()
            stack.callback(down)
            RUN.mkdir(parents=True)
            # In memory: the upper layer of an overlay cannot be on an overlay, as CI runners are.
            run("mount", "-t", "tmpfs", "-o", "mode=0755", network.PREFIX, RUN)
            network.make()
            site = cls(stack.enter_context(Outside.running(RUN / "outside")))
            stack.callback(site.keep_journals)
            yield site

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    def keep_journals(self) -> None:
        """Write each host's journal to the logs: it goes with the host."""
        for name, machine in self.machines.items():
            with contextlib.suppress(LabError):
                journal = machine.do("journalctl", "--no-pager", "--output=short-precise").text
                (LOGS / f"{name}.journal.log").write_text(journal, encoding="utf-8")

    # --- Chef ---------------------------------------------------------------------------------

    def node(self, name: str, **changes: Any) -> dict[str, Any]:
        """Give what Chef is told of a host; `changes` replace attributes of its cookbook."""
        script = (CHECKOUT / "lab/vagrant/site.rb").read_text("utf-8") + _TELL
        told = self._attributes()
        told[name] |= changes
        environment = {"SITE": yaml.safe_dump(_DATA), "CHANGES": json.dumps(told)}
        ruby = ("chroot", self[name].root, "/usr/bin/ruby", "-")
        said = run(*ruby, env=environment, stdin=script).last
        node: dict[str, Any] = json.loads(said)[name]
        return node

    def converge(self, name: str, **changes: Any) -> chef.Converge:
        """Converge a host once. Raises LabError when Chef fails."""
        return chef.converge(self[name], self.node(name, **changes))

    def converge_again(self, name: str, **changes: Any) -> chef.Converge:
        """Converge a host that is converged. Raises LabError when Chef changes anything."""
        again = self.converge(name, **changes)
        changed = "; ".join(again.changed)
        expect(again.updated == 0, f"host {name}: second run: {again}: {changed}")
        return again

    def _attributes(self) -> dict[str, dict[str, Any]]:
        return {"dhcp_server": {"backend": self.backend}, **self.attributes()}


def down() -> None:
    """Stop every host and remove what the lab made: disks, mounts, namespaces, cgroups.

    It goes on to its end even if Ctrl-C is pressed again.
    """
    with _uninterrupted():
        for machine in reversed(_bare().values()):
            machine.destroy()
        for name in network.leftovers():
            network.remove(name)
        if RUN.is_mount():
            run("umount", RUN)
        shutil.rmtree(RUN, ignore_errors=True)


def leftovers() -> list[str]:
    """Give what is still there of the lab on this machine."""
    mounts = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    return [
        *(f"host {name}" for name in running()),
        *(f"namespace {name}" for name in network.leftovers()),
        *(f"mount {line.split()[4]}" for line in mounts if f" {RUN}" in line),
        *(f"cgroup {g}" for tree in cgroup_trees() for g in tree.glob(f"{network.PREFIX}-*")),
    ]


def running() -> dict[str, Machine]:
    """Give the hosts that run, whoever started them."""
    return {name: machine for name, machine in _bare().items() if machine.leader()}


def _machines() -> dict[str, Machine]:
    root = rootfs.build()
    source, keys = RUN / "source", RUN / "keys"
    _copy_source(source)
    keys.mkdir(parents=True, exist_ok=True)
    binds = {source: chef.SOURCE, rootfs.wheels(root): rootfs.WHEELS}
    # As with Vagrant's synced folder: public halves only, each written by its owner.
    shared: Mapping[Path, str] = {keys: KEYS}
    return {
        name: Machine(
            name, mac(name), STATIC.get(name), root, binds,
            shared if name in {"mirror_server", "ci_server"} else {},
        )
        for name in NAMES
    }  # fmt: skip


def _bare() -> dict[str, Machine]:
    return {name: Machine(name, mac(name), STATIC.get(name), CACHE, {}, {}) for name in NAMES}


def _copy_source(target: Path) -> None:
    """Copy what a host needs of the checkout, as Vagrant's rsync does."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    leave = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for part in _PARTS:
        if (CHECKOUT / part).is_dir():
            shutil.copytree(CHECKOUT / part, target / part, ignore=leave)
    for name in _FILES:
        if (CHECKOUT / name).exists():
            shutil.copy2(CHECKOUT / name, target / name)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    polite = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in polite]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@contextmanager
def _alone() -> Iterator[None]:
    _LOCK.parent.mkdir(parents=True, exist_ok=True)
    with _LOCK.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LabError("another run of the lab is under way on this machine") from error
        yield


@contextmanager
def _served(directory: Path) -> Iterator[str]:
    """Serve a directory at the outside's address; give its URL."""
    handler = partial(_Quiet, directory=str(directory))
    server = http.server.ThreadingHTTPServer((network.OUTSIDE_ADDRESS, 0), handler)
    thread = threading.Thread(target=server.serve_forever, name="upstream", daemon=True)
    thread.start()
    try:
        yield f"http://{network.OUTSIDE_ADDRESS}:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name upstream
        logging.getLogger("lab.upstream").info(format, *args)
