"""What all tests share: what hypothesis tries, the order of files, and that stores are closed."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from gm_analytics.engine.client import Store

_QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile(
    "short", max_examples=100, deadline=None, derandomize=True, suppress_health_check=_QUIET
)
settings.register_profile(
    "long", max_examples=20_000, deadline=None, print_blob=True, suppress_health_check=_QUIET
)
settings.load_profile(os.environ.get("FUZZ", "short"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits for other programs: two processes then end at about the same time."""
    items.sort(key=lambda item: "unit" in item.path.parts)


@pytest.fixture(autouse=True)
def closed_stores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what a test leaves open: SQLite's connections say so from Python 3.13 on."""
    opened: list[Store] = []
    begin = Store.__init__

    def keep(self: Store, url: str) -> None:
        begin(self, url)
        opened.append(self)

    monkeypatch.setattr(Store, "__init__", keep)
    yield
    for store in opened:
        store.close()
