"""States: each is known in one place, and to the specification."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import yaml

from gm_analytics.engine import records
from gm_analytics.updates import states
from gm_analytics.updates.states import State

ALL: tuple[State, ...] = get_args(State)


def test_what_the_states_have_in_common() -> None:
    assert {state for state in ALL if not states.ended(state)} == {"waiting", "running"}
    assert {state for state in ALL if states.retriable(state)} == {
        "failed", "cancelled", "ignored",
    }  # fmt: skip
    assert {state for state in ALL if states.succeeded(state)} == {
        "published", "previewed", "planned", "closed", "unchanged", "superseded",
    }  # fmt: skip


def test_the_specification_lists_them() -> None:
    text = (Path(__file__).parents[3] / "swagger" / "indexer.yaml").read_text("utf-8")
    record = yaml.safe_load(text)["definitions"]["Update"]["properties"]["mirrors"]["items"]
    assert record["properties"]["state"]["enum"] == list(ALL)


def test_dbos_s_statuses_are_under_way_or_retriable() -> None:
    assert set(records.UNDER_WAY) == {"ENQUEUED", "DELAYED", "PENDING"}
    assert {"ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"} == records.RETRIABLE
