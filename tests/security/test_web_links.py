"""What a client can read through the mirror's web server: packages and metadata, nothing else."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from lab.processes import run
from lab.web import WebServer
from tests.integration.conftest import needs_root

OWNER = "daemon"


@pytest.fixture(scope="module")
def web() -> Iterator[WebServer]:
    """A root as the service leaves it, of an account's; beside it a file of each."""
    place = Path(tempfile.mkdtemp(prefix="gm-web-"))
    place.chmod(0o755)
    root, live = place / "repo", place / "repo/.publications/000001"
    (live / "repodata").mkdir(parents=True)
    (root / "previews").mkdir()
    for path in ("repodata/repomd.xml", "publication.json", "packages.txt"):
        (live / path).write_text(path)
    shutil.copytree(live, root / ".previews/7-update")
    (root / "tree.rpm").write_text("tree")
    (root / "RPM-GPG-KEY-gm-mirror").write_text("key")
    (root / "previews/7.repo").write_text("[gm-preview-7]")
    (root / "other.repo").write_text("secret")
    (root / "repodata").symlink_to(".publications/000001/repodata")
    (root / "previews/7").symlink_to("../.previews/7-update")
    (root / "Packages").symlink_to(".")
    (root / "publications/1").mkdir(parents=True)
    (root / "publications/1/repodata").symlink_to("../../.publications/000001/repodata")
    (root / "publications/1/Packages").symlink_to("../..")
    (root / "publications/2026-11-25").symlink_to("1")
    (root / "publications/2026-11-26").symlink_to("..")
    (place / "account").mkdir()
    (place / "roots").mkdir()
    for owner in ("account", "roots"):
        (place / owner / "repomd.xml").write_text("secret")
    for name in ("account", "roots"):
        (root / f"{name}.rpm").symlink_to(place / name / "repomd.xml")
        (root / name).mkdir()
        (root / name / "repodata").symlink_to(place / name)
    (root / "tree-link.rpm").symlink_to("tree.rpm")
    (root / "previews/8.repo").symlink_to(place / "account/repomd.xml")
    (root / "roots/RPM-GPG-KEY-x").symlink_to(place / "roots/repomd.xml")
    for path in (root, place / "account"):
        run(["chown", "--recursive", "--no-dereference", OWNER, str(path)])
    with WebServer.serving(place / "web", root) as serving:
        yield serving
    shutil.rmtree(place)


SERVED = ["", "tree.rpm", "RPM-GPG-KEY-gm-mirror", "repodata/", "repodata/repomd.xml"]
SERVED += ["previews/", "previews/7.repo", "previews/7/", "previews/7/repodata/repomd.xml"]
SERVED += ["Packages/tree.rpm", "publications/"]
SERVED += [
    f"publications/{one}/{path}"
    for one in ("1", "2026-11-25", "2026-11-26")
    for path in ("", "repodata/", "repodata/repomd.xml", "Packages/tree.rpm")
]


@needs_root
@pytest.mark.parametrize("path", SERVED)
def test_what_clients_need_is_served(web: WebServer, path: str) -> None:
    """Through the links that the service makes, and no update's id with it."""
    reply = requests.get(web.url + path, timeout=10)
    assert reply.status_code == 200
    assert "7-update" not in reply.text


HIDDEN = ["account.rpm", "roots.rpm", "tree-link.rpm", "roots/repodata/repomd.xml"]
HIDDEN += [
    "previews/8.repo",
    "other.repo",
    "previews/x.repo",
    "roots/repodata/",
    "roots/RPM-GPG-KEY-x",
]
HIDDEN += [
    f"{place}Packages/{name}.rpm"
    for place in ("", "publications/1/", "publications/2026-11-26/")
    for name in ("account", "roots", "tree-link", "none", "../previews/7/publication")
]
HIDDEN += ["publications/1/publication.json", "publications/2026-11-26/other.repo"]
HIDDEN += ["previews/7/publication.json", "previews/7/packages.txt", "repodata/../.lock"]
HIDDEN += [".publications/000001/publication.json", ".previews/7-update/", "%2elock"]


@needs_root
@pytest.mark.parametrize("path", HIDDEN)
def test_nothing_else_is_served(web: WebServer, path: str) -> None:
    """No link to root's file, none at all in a package's place, no file of the service's own."""
    reply = requests.get(web.url + path, timeout=10)
    assert reply.status_code in {403, 404}
    assert "secret" not in reply.text
