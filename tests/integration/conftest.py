"""Fixtures: the lab, with real parts. A site lasts for a module; tests have their own packages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from gm_analytics import settings
from gm_analytics.operations.by_hand import DirectStep
from gm_analytics.service import Service
from lab import postgres as server
from lab.client import Client
from lab.processes import LabError
from lab.site import Service as Processes
from lab.site import Site
from lab.upstream import built_catalog
from tests.support import command_line

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.running() as running:
        yield running


@pytest.fixture(scope="module")
def service(site: Site) -> Iterator[Processes]:
    """`gm-analytics serve` in a process of its own."""
    with Processes.running(site) as running:
        yield running


@pytest.fixture
def inside(site: Site) -> Service:
    """The service in this process, for updates without GitHub."""
    return Service(settings.Settings.model_validate(site.settings()))


@pytest.fixture
def cli(site: Site) -> Cli:
    """Run `gm-analytics` as a user does."""
    config = site.config()

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        environment = {"GM_ANALYTICS_CONFIG": str(config)}
        return command_line.run(arguments, stdin=stdin, environment=environment)

    return run


@pytest.fixture(scope="session")
def groups(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where dnf itself dies of a group, as on Debian 13 (libcomps PR 132)."""
    client = Client(tmp_path_factory.mktemp("groups"), built_catalog().as_uri())
    ended = client.install("@development", check=False).returncode
    if ended in {-signal.SIGSEGV, -signal.SIGABRT}:
        pytest.skip(f"dnf crashes here on any group ({signal.Signals(-ended).name})")


def manifest(*names: str) -> str:
    return json.dumps([{"package_name": name, "installation_commands": name} for name in names])


def at_once() -> DirectStep:
    return DirectStep()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL of our own on loopback; gives its URL."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(server.postgres())
        except LabError:
            pytest.skip("no PostgreSQL server")
        yield url


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
