"""What is installed from a wheel works like a checkout: built through an sdist, started in `/`.

With `WHEEL=complete`, as in `.ci/run`, the virtual environment gets every dependency from PyPI.
Else it borrows those of this one, which takes no network.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from lab.site import Service, Site

from .conftest import manifest

TOP = Path(__file__).parents[2]
COMPLETE = os.environ.get("WHEEL") == "complete"
NOT_THE_CHECKOUT = shutil.ignore_patterns(
    ".*", "build", "dist", "*.egg-info", "__pycache__", "tests", "docs", "cookbooks"
)
BUILD_SDIST = "import setuptools.build_meta as b, sys; b.build_sdist(sys.argv[1])"


def run(*argv: str | Path, cwd: Path = Path("/")) -> str:
    done = subprocess.run(
        list(map(str, argv)), cwd=cwd, capture_output=True, text=True, check=False, timeout=400
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout's sdist."""
    place = tmp_path_factory.mktemp("wheel")
    shutil.copytree(TOP, place / "checkout", ignore=NOT_THE_CHECKOUT)
    run(sys.executable, "-c", BUILD_SDIST, place, cwd=place / "checkout")
    (sdist,) = place.glob("*.tar.gz")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    run(*pip, "--wheel-dir", place, sdist)
    (built,) = place.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def programs(wheel: Path) -> Path:
    """Where `gm-analytics` is in a virtual environment that had nothing in it."""
    environment = wheel.parent / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet")
    if COMPLETE:
        run(*pip, wheel)
    else:
        run(*pip, "--no-deps", wheel)
        (inside,) = environment.glob("lib/python*/site-packages")
        # A folder that a .pth file names is searched, but its own .pth files are not read: the
        # editable installation of this checkout does not come along.
        borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        (inside / "borrowed.pth").write_text("\n".join(sorted(borrowed)))
    said = run(python, "-c", "import gm_analytics; print(gm_analytics.__file__)").strip()
    assert Path(said).is_relative_to(environment)
    return python.parent


@pytest.fixture(scope="module")
def installed(site: Site, programs: Path) -> Iterator[Service]:
    """`gm-analytics serve` of the wheel, started in `/`."""
    service = Service(site, site.config(), programs, cwd=Path("/"))
    try:
        service.start()
        yield service
    finally:
        service.stop()


def test_a_wheel_has_each_file_of_the_package_and_the_contract(wheel: Path) -> None:
    sources = {
        path.relative_to(TOP).as_posix()
        for path in (TOP / "gm_analytics").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    contract = {f"gm_analytics/swagger/{path.name}" for path in (TOP / "swagger").glob("*.*")}
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == sources | contract


def test_check_of_a_wheel_finds_its_own_specification(site: Site, programs: Path) -> None:
    config = site.config()
    said = run(programs / "gm-analytics", "check", "--config", config)
    (line,) = [line for line in said.splitlines() if "specification" in line]
    assert line.startswith("ok   specification: gm_analytics ")
    assert line.endswith(str(Path("site-packages/gm_analytics/swagger/indexer.yaml")))


def test_a_wheel_sets_an_installation_up(programs: Path, tmp_path: Path) -> None:
    """Templates of configuration, units and the mirror's script are inside."""
    answers = ("--repository", "team/packages", "--mirror", "mirror.example.com", "--no-host-key")
    account = pwd.getpwuid(os.geteuid()).pw_name
    where = ("--directory", tmp_path / "etc", "--state", tmp_path, "--account", account)
    said = run(programs / "gm-analytics", "init", *answers, *where)
    assert "gm-analytics mirror-setup --config" in said
    config = tmp_path / "etc" / "config.yaml"
    script = run(programs / "gm-analytics", "mirror-setup", "--config", config)
    assert script.startswith("#!/bin/sh\n")


def test_a_wheel_serves_from_the_root_folder(installed: Service) -> None:
    base = f"http://127.0.0.1:{installed.port}"
    assert requests.get(f"{base}/healthz", timeout=10).status_code == 200
    served = requests.get(f"{base}/swagger.json", timeout=10).json()
    assert set(served["paths"]) == set(
        yaml.safe_load((TOP / "swagger" / "indexer.yaml").read_text("utf-8"))["paths"]
    )


def test_a_delivery_to_a_wheel_is_published(installed: Service) -> None:
    ended = installed.perform(installed.site.push(manifest("tree")))
    assert ended["state"] == "published", ended["message"]
    assert "tree" in installed.site.client().list_all().stdout
    page = requests.get(
        f"{installed.url}/{ended['update_id']}", headers={"Accept": "text/html"}, timeout=10
    )
    assert "<!doctype html>" in page.text.lower()
