"""The steps of an update have the names and the order that they had at a1fa4e0.

DBOS compares the names: an update that it began could not go on with other ones.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gm_analytics.errors import GmError, NotInstallable, Overtaken

from .test_story import CLOSE, LIVE, MERGE, NEXT, PREVIEW, UPDATE, World, closure, live, made
from .test_story import preview_of as preview

GOLDEN = Path(__file__).parents[2] / "golden" / "a1fa4e0" / "story.json"
"""Made by the function below on a1fa4e0, whose test of the story has the same `World`."""


def told(key: str) -> dict[str, list[str]]:
    """Tell each story, with a mirror that has this key; give the names of its steps."""
    overtaken = Overtaken("m", LIVE.live, NEXT.live)
    worlds = {}
    for kind, update in (("addition", UPDATE), ("preview", PREVIEW), ("merge", MERGE)):
        first = World(update, signing_key=key)
        first.perform()
        known = live(made(first), manifests=(made(first).manifest,))
        there = replace(live(made(first)), manifests=())
        worlds |= {
            f"{kind}: {name}": world
            for name, world in {
                "new": World(update),
                "known": World(update, surveys=[known]),
                "there": World(update, surveys=[there], closure=closure(zlib="live")),
                "group": World(update, text='["@tools"]', surveys=[known]),
                "empty": World(update, text="[]"),
                "superseded": World(update, newer=True),
                "overtaken": World(update, surveys=[LIVE, NEXT], fail={"switch": [overtaken]}),
                "refused": World(update, fail={"prove": [NotInstallable("m", ["tree"], "x")]}),
            }.items()
        }
    del worlds["preview: overtaken"]  # whose switch overtakes nobody
    merged = World(MERGE)
    merged.perform()
    shown = preview(World(MERGE, signing_key=key))
    other = replace(made(merged), mark=made(merged).mark[:-1] + "c")
    worlds["reviewed"] = World(MERGE, shown=shown)
    worlds["not as reviewed"] = World(MERGE, shown=replace(shown, publication=made(merged)))
    worlds["merged in the same second, before"] = World(
        MERGE, contained=True, surveys=[live(other)]
    )
    worlds["merged in the same second, after"] = World(MERGE, surveys=[live(other)])
    worlds["closed"] = World(CLOSE, shown=shown)
    worlds["closed without a preview"] = World(CLOSE)
    for world in worlds.values():
        world.signing_key = key
        with suppress(GmError):
            world.perform()
    return {name: world.steps for name, world in worlds.items()}


@pytest.mark.parametrize("key", ["", "F" * 40])
def test_each_story_has_the_steps_that_it_had(key: str) -> None:
    before = json.loads(GOLDEN.read_text("utf-8"))[key or "none"]
    assert told(key) == before
    assert sum(map(len, before.values())) > len(before)
