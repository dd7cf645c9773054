"""What a stored update asks for, and what it asks of the forge for that."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gm_analytics.errors import GitHubError, GitHubUnavailable, GmError, NoManifest
from gm_analytics.manifest import Manifest
from gm_analytics.pull_requests.request import StoredRequest
from gm_analytics.updates import model
from gm_analytics.updates.model import Update

PATHS = {"m": "packages.json", "el9": "lists/el9.json"}
PREVIEW = Update("u1", "m", "icesi/packages", 7, "a" * 40, aim=model.PREVIEW, base_ref="main")


@dataclass
class Forge:
    """Answers, and writes down what it was asked."""

    keeps: bool | GmError = False
    text: bytes | GmError = b'["tree"]'
    meet: threading.Barrier | None = None
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def manifest(self, repository: str, sha: str, path: str = "") -> bytes:
        self._ask("manifest", sha, path)
        if isinstance(self.text, GmError):
            raise self.text
        return self.text

    def _ask(self, *what: str) -> None:
        self.asked.append(what)
        if self.meet:
            self.meet.wait()

    def keeps_manifest(self, repository: str, base: str, head: str, path: str = "") -> bool:
        self._ask("compare", base, head, path)
        if isinstance(self.keeps, GmError):
            raise self.keeps
        return self.keeps

    def moved_on(self, repository: str, base: str, head: str, path: str = "") -> bool:
        return self.keeps_manifest(repository, base, head, path)

    def contains(self, repository: str, commit: str, ancestor: str) -> bool:
        raise AssertionError


def request(forge: Forge) -> StoredRequest:
    updates: Any = None
    return StoredRequest(updates, forge, PATHS.__getitem__)


def wanted(forge: Forge, update: Update = PREVIEW) -> Manifest:
    return request(forge).manifest(update)


@pytest.mark.parametrize("found", [b"broken", NoManifest("packages.json", "icesi/packages", "a")])
def test_a_pull_request_that_keeps_the_manifest_asks_for_nothing(found: bytes | GmError) -> None:
    """Also where that manifest is a broken one: it is not this pull request's to mend."""
    forge = Forge(keeps=True, text=found)
    assert wanted(forge) == Manifest((), untouched=True)
    assert ("compare", "main", "a" * 40, "packages.json") in forge.asked


def test_one_that_changes_it_is_read_at_its_head_while_it_is_compared() -> None:
    forge = Forge(meet=threading.Barrier(2, timeout=30))  # neither is answered before both ask
    assert wanted(forge, replace(PREVIEW, aim=model.ADDITION)).specs == ("tree",)
    both = [
        ("compare", "main", "a" * 40, "packages.json"),
        ("manifest", "a" * 40, "packages.json"),
    ]
    assert sorted(forge.asked) == both


def test_one_that_changes_it_to_none_at_all_is_told() -> None:
    with pytest.raises(NoManifest):
        wanted(Forge(text=NoManifest("packages.json", "icesi/packages", "a")))


@pytest.mark.parametrize(
    "update",
    [
        replace(PREVIEW, aim=model.MERGE, merge_sha="b" * 40),
        replace(PREVIEW, base_ref=""),  # stored by an earlier version
    ],
)
def test_a_merge_and_what_an_earlier_version_stored_are_not_compared(update: Update) -> None:
    forge = Forge(keeps=True)
    assert wanted(forge, update).specs == ("tree",)
    assert forge.asked == [("manifest", update.commit, "packages.json")]


@pytest.mark.parametrize(
    "error",
    [GitHubError("comparing", 404, "Not Found"), GitHubUnavailable("comparing", "429", 3000.0)],
)
def test_what_cannot_be_compared_counts_as_a_change_and_waits_for_nothing(
    error: GmError, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert wanted(Forge(keeps=error)).specs == ("tree",)
    assert "update u1: taken to change the manifest: GitHub: comparing" in caplog.text


@pytest.mark.parametrize("moved", [True, False])
def test_a_base_that_moved_on_is_told(moved: bool) -> None:
    forge = Forge(keeps=moved)
    assert request(forge).has_moved_on(PREVIEW) is moved
    assert forge.asked == [("compare", "main", "a" * 40, "packages.json")]


def test_what_the_forge_cannot_tell_of_a_base_is_not_said() -> None:
    for error in (GitHubError("x", 404, "Not Found"), GitHubUnavailable("x", "429", 3000.0)):
        assert not request(Forge(keeps=error)).has_moved_on(PREVIEW)


def test_each_mirror_has_the_manifest_that_is_its_own() -> None:
    """Read, compared with where the branch began, and with what its base has by now."""
    mine, path = replace(PREVIEW, mirror="el9"), "lists/el9.json"
    forge = Forge(text=b'["tree*"]')
    with pytest.raises(GmError, match=f"^{path}: /0"):
        wanted(forge, mine)
    request(forge).has_moved_on(mine)
    merged = replace(mine, aim=model.MERGE, merge_sha="b" * 40)
    with pytest.raises(GmError, match=f"^{path}: /0"):
        wanted(forge, merged)
    assert {asked[-1] for asked in forge.asked} == {path}
    assert len(forge.asked) == 4
