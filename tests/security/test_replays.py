"""Who kept signed bytes can send them again under any delivery id: nothing changes by it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from lab.deliveries import PullRequest
from lab.packages import Package
from lab.site import Service, Site
from tests.integration.conftest import Cli, manifest


def updates(cli: Cli) -> list[tuple[str, str, float]]:
    """Give every update, how it fares, and when it last ended."""
    listed: list[dict[str, Any]] = json.loads(cli("updates", "--limit", "500", "--json").stdout)
    return [(one["update_id"], one["state"], one["completed_at"]) for one in listed]


def replayed(service: Service, pull: PullRequest) -> dict[str, Any]:
    """Send old bytes as anybody may who has them, over a new connection and under a new id."""
    reply = service.deliver(pull, delivery_id=f"replayed-{uuid.uuid4()}")
    assert reply.status_code == 202
    answer: dict[str, Any] = reply.json()
    return answer


@pytest.mark.parametrize("mode", ["additive", "exact"])
def test_old_signed_bytes_do_not_undo_a_rollback(site: Site, cli: Cli, mode: str) -> None:
    site.upstream.add(Package(f"kept-{mode}"), Package(f"bad-{mode}"))
    publish = {"additive": "on_pull_request", "exact": "on_merge"}[mode]
    database = f"sqlite:///{site.directory}/replays-{mode}.sqlite"
    config = site.config(publish=publish, database_url=database)
    with Service.running(site, config) as service:
        told = []
        for number, names in enumerate([[f"kept-{mode}"], [f"kept-{mode}", f"bad-{mode}"]], 1):
            pull = site.push(
                manifest(*names),
                branch=f"replays-{mode}-{number}",
                number=number,
                updated_at=f"2026-11-24T10:00:0{number}Z",
            )
            told.append(pull)
            if mode == "exact":
                assert service.perform(pull)["state"] == "previewed"
                told.append(site.merge(pull))
            assert service.perform(told[-1])["state"] == "published"
        assert cli("rollback").returncode == 0
        live, known = site.client().available(), updates(cli)
        assert not any(f"bad-{mode}" in nevra for nevra in live)
        answers = [replayed(service, pull) for pull in [*told, *reversed(told)]]
        later = site.push(manifest("no-such-thing"), branch=f"later-{mode}", number=9)
        assert service.perform(later)["state"] == "failed", "behind all that would be done"
        assert site.client().available() == live
        assert [one for one in updates(cli) if one[0] in {name for name, *_ in known}] == known
        assert {answer["reason"] for answer in answers} == {
            f"this is known; its update is {answer['update_id']}" for answer in answers
        }
