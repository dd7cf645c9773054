"""Where Chef's gems come from, as `lab/gems` says: the lab and the cookbooks' tests go by it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.hosts.shell import CHECKOUT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in a folder of its own, on a machine that RubyGems does not answer."""
    place = tmp_path / "group" / "checkout"
    (place / "lab").mkdir(parents=True)
    shutil.copy2(CHECKOUT / "lab/gems", place / "lab/gems")
    curl = tmp_path / "bin" / "curl"
    curl.parent.mkdir()
    curl.write_text("#!/bin/sh\nexit 6\n", encoding="utf-8")
    curl.chmod(0o755)
    return place


def gems_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "chef-bin-18.11.11.gem").touch()
    return folder


def ask(checkout: Path, **given: str) -> subprocess.CompletedProcess[str]:
    path = f"{checkout.parents[1] / 'bin'}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "GM_ANALYTICS_GEMS": "", **given}
    argv = [str(checkout / "lab/gems")]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)


def test_the_folder_that_is_named_goes_first(checkout: Path, tmp_path: Path) -> None:
    gems_in(checkout.parent / "shared/gems/cache")
    named = gems_in(tmp_path / "named")
    assert ask(checkout, GM_ANALYTICS_GEMS=str(named)).stdout == f"{named}\n"


def test_a_named_folder_without_chef_is_an_error(checkout: Path, tmp_path: Path) -> None:
    done = ask(checkout, GM_ANALYTICS_GEMS=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"gems: GM_ANALYTICS_GEMS={tmp_path}: no chef-bin-*.gem there\n"


@pytest.mark.parametrize("above", [0, 1], ids=["beside", "above"])
def test_a_shared_folder_is_found(checkout: Path, above: int) -> None:
    shared = gems_in(checkout.parents[above] / "shared/gems/cache")
    assert ask(checkout).stdout == f"{shared}\n"


def test_a_clone_finds_the_folder_beside_its_origin(checkout: Path, tmp_path: Path) -> None:
    shared = gems_in(tmp_path / "elsewhere/shared/gems/cache")
    for command in (["init", "-q"], ["remote", "add", "origin", f"{tmp_path}/elsewhere/main"]):
        subprocess.run(["git", "-C", str(checkout), *command], check=True)
    assert ask(checkout).stdout == f"{shared}\n"


def test_where_there_is_neither_a_folder_nor_rubygems_it_says_what_to_do(checkout: Path) -> None:
    done = ask(checkout)
    assert (done.returncode, done.stdout) == (1, "")
    assert "RubyGems cannot be reached" in done.stderr
    assert "GM_ANALYTICS_GEMS" in done.stderr


def test_nothing_is_printed_for_rubygems(checkout: Path) -> None:
    curl = checkout.parents[1] / "bin" / "curl"
    curl.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    done = ask(checkout)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
