"""What of the store is performed."""

from __future__ import annotations

from gm_analytics.mirror.publication import Publication
from gm_analytics.pull_requests import admission
from gm_analytics.updates.model import Update


def test_an_id_is_one_that_publication_json_takes() -> None:
    longest = Update("u" * 220, "m", "o/r", 1, "a" * 40)
    assert admission._malformed(longest) is None
    assert Publication.parse(Publication(1, update_id=longest.id).text()) is not None
    assert admission._malformed(Update("u" * 221, "m", "o/r", 1, "a" * 40)) == "id"
