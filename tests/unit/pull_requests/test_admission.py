"""What of the store is performed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gm_analytics.mirror.publication import Publication
from gm_analytics.pull_requests import admission
from gm_analytics.settings import Settings
from gm_analytics.updates.model import ROLLBACK, Update


def test_an_id_is_one_that_publication_json_takes() -> None:
    longest = Update("u" * 220, "m", "o/r", 1, "a" * 40)
    assert admission._malformed(longest) is None
    assert Publication.parse(Publication(1, update_id=longest.id).text()) is not None
    assert admission._malformed(Update("u" * 221, "m", "o/r", 1, "a" * 40)) == "id"


def config(**changes: object) -> Settings:
    return Settings.model_validate(
        {
            "webhook": {"secret": "s" * 32, "repositories": ["o/r"]},
            "mirrors": [
                {
                    "name": "east",
                    "identity_file": "/k",
                    "known_hosts": "/h",
                    "url": "http://east/",
                    "upstream": {"releasever": "9"},
                }
            ],
            **changes,
        }
    )


def asked(**changes: object) -> Update:
    wanted = {"aim": ROLLBACK, "author": "ana", "back_to": 3, "expected": 5, **changes}
    return replace(Update("rollback-1", "east"), **wanted)  # type: ignore[arg-type]


def test_a_rollback_that_a_page_asked_for_is_performed() -> None:
    assert admission.reason_to_ignore(asked(), config()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"back_to": 0},
        {"expected": 0},
        {"mirror": "west"},
        {"repository": "o/r"},
        {"number": 1},
        {"id": "a/../b"},
        {"author": "a\nb"},
    ],
)
def test_any_other_rollback_in_the_store_is_nobodys(changes: dict[str, object]) -> None:
    """Who took the web over may store what they like."""
    assert admission.reason_to_ignore(asked(**changes), config())
