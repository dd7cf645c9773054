"""Clients that refresh without pause, by `baseurl` and by `mirrorlist` side by side."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gm_analytics import settings
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.signing import Key
from gm_analytics.service import Service
from lab.processes import run
from lab.site import Site
from tests.integration.conftest import at_once, manifest
from tests.support.length import LONG

PUBLICATIONS = 300 if LONG else 6
SOLVED = 3
"""Each so many-th publication is solved; the others are rollbacks, which take less time."""
KEPT = 5
SCRIPT = Path(__file__).with_name("refresher.py")


@dataclass
class Client:
    """A client that refreshes in a process of its own."""

    option: str
    looks: int = 0
    packages: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    @property
    def told(self) -> str:
        """Say how it went, and the different errors."""
        said = f"{len(self.errors)} errors in {self.looks} refreshes"
        kinds = sorted({one.splitlines()[-1][:200] for one in self.errors})
        return "\n  ".join(
            [f"{PUBLICATIONS} signed publications, by {self.option}: {said}", *kinds]
        )


@contextmanager
def refreshing(site: Site, option: str, path: str) -> Iterator[Client]:
    """Refresh until the block ends; the client has its counts then."""
    place = Path(tempfile.mkdtemp(prefix="refresher-", dir=site.directory))
    argv = ["/usr/bin/python3", str(SCRIPT), str(place), option]
    argv += [site.mirror.web.url + path, site.mirror.key_url]
    client = Client(option)
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield client
    finally:
        said, complaint = process.communicate("stop\n", timeout=60)
    found = json.loads(said or json.dumps({"errors": [complaint]}))
    client.errors = found["errors"]
    client.looks, client.packages = found.get("looks", 0), set(found.get("packages", ()))


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    done = run(["/usr/bin/python3", "-c", "import dnf"], check=False)
    if done.returncode:
        pytest.skip("the system's Python has no dnf 4")
    with Site.running() as running:
        running.sign()
        assert running.mirror.signing_home
        Key(running.mirror.signing_home).make(running.mirror.name)
        yield running


def test_a_signed_mirror_switches_and_clients_by_mirrorlist_meet_no_error(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """By baseurl a client may read repomd.xml before a switch and its signature after it."""
    short = {"publications": KEPT, "days": 0}
    mirror = site.mirror.settings(retention=short, grace_minutes=1)
    config = site.settings(publish="on_merge", mirrors=[mirror])
    operations = Service(settings.Settings.model_validate(config)).operations

    def publish(number: int) -> str:
        if number % SOLVED:
            return operations.rollback(site.mirror.name, None, at_once()).state
        wanted = Manifest.parse(manifest(f"leaf{number % 17:02d}").encode())
        return operations.apply(wanted, site.mirror.name, at_once()).state

    assert [publish(0), publish(SOLVED)] == ["published"] * 2
    with (
        refreshing(site, "baseurl", "") as plain,
        refreshing(site, "mirrorlist", "repodata/mirrorlist") as listed,
    ):
        for number in range(SOLVED + 1, SOLVED + PUBLICATIONS - 1):
            assert publish(number) == "published"
    with capsys.disabled():
        sys.stdout.write(f"\n{plain.told}\n{listed.told}\n")
    assert listed.errors == []
    assert listed.looks >= PUBLICATIONS
    assert len(listed.packages) > 1
