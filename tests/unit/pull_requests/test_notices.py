"""What a pull request that causes no update is told of, a mirror each."""

from __future__ import annotations

from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest

from gm_analytics.events import PullRequestEvent
from gm_analytics.pull_requests.notices import Notices
from gm_analytics.settings import Settings
from gm_analytics.updates.model import Update

DRAFT = PullRequestEvent(
    "opened", "opened", 7, "team/packages", "a" * 40, "main", "ana", "MEMBER", False, True
)


def config(**manifests: str) -> Settings:
    """Give one with a mirror of each name; those of no manifest have none of their own."""
    common = {"identity_file": "/k", "known_hosts": "/h", "upstream": {"releasever": "9"}}
    mirrors = [
        {**common, "name": name, "url": f"http://{name}/"} | ({"manifest": path} if path else {})
        for name, path in manifests.items()
    ]
    webhook = {"secret": "s" * 32, "repositories": ["team/packages"]}
    return Settings.model_validate({"webhook": webhook, "mirrors": mirrors})


class Steps:
    """Runs each step, and writes down its name."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str, function: Any, *args: Any, **words: Any) -> Any:
        self.names.append(name)
        return function(*args, **words)


@pytest.mark.parametrize(
    ("manifests", "states", "steps"),
    [
        (
            {"m1": "", "m2": "packages.json"},
            {"m1": "pending", "m2": "pending"},
            ["compare manifest", "status", "status"],  # as an earlier version recorded them
        ),
        (
            {"m1": "", "m2": "el9.json", "m3": "el9.json"},
            {"m1": "pending", "m2": "success", "m3": "success"},
            ["compare manifest", "status", "compare manifest", "status", "status"],
        ),
    ],
)
def test_each_mirror_is_told_of_the_manifest_that_is_its_own(
    manifests: dict[str, str], states: dict[str, str], steps: list[str]
) -> None:
    """The pull request changes packages.json alone."""
    found, told, step = config(**manifests), {}, Steps()

    def is_untouched(update: Update) -> bool:
        return found.manifest_of(update.mirror) != "packages.json"

    def set_status(*words: Any, context: str, **_: Any) -> None:
        told[context.removeprefix("gm-analytics/")] = words[2]

    updates: Any = SimpleNamespace(of_pull_request=lambda _: [])
    voice: Any = SimpleNamespace(set_status=set_status)
    Notices(found, updates, voice, is_untouched)(asdict(DRAFT), step)
    assert (told, step.names) == (states, steps)
