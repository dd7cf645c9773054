"""What a mirror's host says of upstream by yum's cache: run by a real shell."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from gm_analytics.remote.commands import shell

REPOMD = """<repomd><revision>{revision}</revision><data type="primary">
<checksum type="sha256">{checksum}</checksum></data></repomd>"""


@dataclass(frozen=True)
class Host:
    """A host with a yum cache and repository files."""

    root: Path
    manager: str = "dnf4"

    @property
    def reposdir(self) -> Path:
        return self.root / "repos"

    @property
    def cache(self) -> Path:
        return self.root / "repo" / ".cache"

    def enable(self, text: str, name: str = "upstream") -> None:
        self.reposdir.mkdir(parents=True, exist_ok=True)
        (self.reposdir / f"{name}.repo").write_text(text)

    def read(self, name: str, checksum: str = "a", revision: int = 1, age: int = 0) -> None:
        """Have read a repository's metadata some seconds ago."""
        yum3 = self.manager == "yum3"
        place = self.cache / self.manager / (name if yum3 else f"{name}-0123456789abcdef/repodata")
        place.mkdir(parents=True, exist_ok=True)
        then = time.time() - age
        for file in ("repomd.xml", "cachecookie" if yum3 else "0-primary.xml.gz"):
            (place / file).write_text(REPOMD.format(revision=revision, checksum=checksum))
            os.utime(place / file, (then, then))

    def run(self, call: str) -> subprocess.CompletedProcess[str]:
        text = shell("mirror", "upstream").rpartition("\n")[0]
        argv = ["sh", "-euc", f"{text}\n{call}", "x", str(self.reposdir)]
        argv += [str(self.cache), str(self.root / "gm-mirror")]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    def state(self) -> str:
        found = self.run('upstream_of "$@"')
        assert found.returncode == 0, found.stderr
        return found.stdout.strip()

    def fresh(self, seconds: int = 600) -> bool:
        found = self.run(f'repos=$1; shift; is_fresh "$repos" {seconds} "$@"')
        assert not found.stderr
        return found.returncode == 0


@pytest.fixture(params=["dnf4", "dnf5", "yum3"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    host = Host(tmp_path, request.param)
    host.enable("[baseos]\nbaseurl=http://x/\n[extras]\nenabled = 0\n")
    return host


def test_nothing_is_known_before_yum_ran(host: Host) -> None:
    assert host.state() == ""
    assert not host.fresh()


def test_it_changes_with_what_upstream_says_and_not_with_when_it_said_so(host: Host) -> None:
    host.read("baseos")
    before = host.state()
    assert len(before) == 64
    host.read("baseos", revision=2)
    assert host.state() == before
    host.read("baseos", checksum="b")
    assert host.state() not in {before, ""}


def test_it_changes_with_the_repository_files_and_not_with_our_own_pool(host: Host) -> None:
    host.read("baseos")
    before = host.state()
    host.read("gm-pool", checksum="c")
    assert host.state() == before
    host.enable("[other]\nbaseurl=http://y/\n", "other")
    assert host.state() != before


def test_metadata_count_as_fresh_for_so_long(host: Host) -> None:
    host.read("baseos", age=500)
    assert host.fresh(600)
    assert not host.fresh(400)
    assert not host.fresh(0), "nothing is new enough then"


def test_each_repository_that_is_enabled_must_be_fresh(host: Host) -> None:
    host.read("baseos")
    host.read("extras", age=9999)
    assert host.fresh(), "that one is not enabled"
    host.enable("# [no]\n[main]\n[epel]\nenabled=1\n", "epel")
    assert not host.fresh()
    host.read("epel")
    assert host.fresh()


def test_a_repository_that_moved_is_as_fresh_as_its_newest_copy(host: Host) -> None:
    host.read("baseos", age=9999)
    if host.manager != "yum3":
        moved = host.cache / host.manager / "baseos-fedcba9876543210" / "repodata"
        moved.mkdir(parents=True)
        (moved / "repomd.xml").write_text("x")
        assert host.fresh()


def test_what_dnf_downloaded_does_not_make_its_metadata_fresh(host: Host) -> None:
    host.read("baseos", age=9999)
    place = host.cache / host.manager / "baseos-0123456789abcdef" / "packages"
    place.mkdir(parents=True)
    (place / "tree-1-1.noarch.rpm").write_text("x")
    assert not host.fresh()
