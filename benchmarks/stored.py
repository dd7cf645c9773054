"""How long pages wait for the overview and the search, over many updates that are stored.

On SQLite and on PostgreSQL; against the same over a hundredth of them.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import sqlalchemy as sa

from gm_analytics.engine import index, searched
from gm_analytics.engine.client import Store
from gm_analytics.engine.database import connect
from gm_analytics.engine.schema import UPDATES, WORKFLOWS
from gm_analytics.engine.search import Wanted
from gm_analytics.engine.views import Views
from gm_analytics.updates.model import Update
from lab.postgres import postgres
from lab.processes import LabError

STORED = 100_000
FEW = STORED // 100
RUNS = 7
_BATCH = 5_000
_END = 1_795_000_000.0
_STATES = ("published", "published", "published", "unchanged", "failed", "superseded")
WAYS: dict[str, Callable[[Views], object]] = {
    "overview": lambda views: views.overview(),
    "the newest page": lambda views: views.search(Wanted()),
    "failed": lambda views: views.search(Wanted("failed")),
    "of a mirror": lambda views: views.search(Wanted(mirror="mirror-7")),
    "of a pull request": lambda views: views.search(Wanted(pull_request="team/packages#77")),
    "of an author": lambda views: views.search(Wanted(author="author-13")),
    "a word that many have": lambda views: views.search(Wanted(text="packages")),
    "a word that one has": lambda views: views.search(Wanted(text="needle")),
    "a word that none has": lambda views: views.search(Wanted(text="nowhere at all")),
    "failed of a mirror, with a word": lambda views: views.search(
        Wanted("failed", "mirror-3", text="nope")
    ),
}


def fill(url: str, count: int) -> None:
    """Store ended updates, as DBOS and the index have them."""
    with closing(Store(url)) as store:
        store.prepare()
    engine = connect(url)
    with engine.begin() as connection:
        for first in range(0, count, _BATCH):
            numbers = range(first, min(count, first + _BATCH))
            rows = [_row(number, count) for number in numbers]
            connection.execute(WORKFLOWS.insert(), [_of_dbos(row) for row in rows])
            connection.execute(UPDATES.insert(), rows)
    if engine.dialect.name == "postgresql":  # as autovacuum does in a minute
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))
    engine.dispose()


def _row(number: int, count: int) -> dict[str, object]:
    """Give an update of one of ten mirrors, a hundred authors, a thousand pull requests."""
    state, at = _STATES[number % len(_STATES)], _END - 60.0 * (count - number)
    update = Update(
        f"{number:032x}", f"mirror-{number % 10}", "team/packages", number % 1000 + 1,
        f"{number:040x}", at, updated_at="2026-11-20T10:00:00Z", author=f"author-{number % 100}",
    )  # fmt: skip
    what = "needle" if number == count // 3 else f"leaf{number % 500}"
    message = f"mirror mirror-{number % 10}: {what}: No match for argument: nope"
    return {
        **index._row(update),
        "accepted_at": at,
        "started_at": at + 1,
        "ended_at": at + 20,
        "state": state,
        "message": message,
        "said": searched.said(message),
    }


def _of_dbos(row: dict[str, object]) -> dict[str, object]:
    at = int(float(str(row["accepted_at"])) * 1000)
    return {
        "workflow_uuid": row["workflow_id"],
        "name": index.WORKFLOW,
        "status": "ERROR" if row["state"] == "failed" else "SUCCESS",
        "created_at": at,
        "updated_at": at,
        "started_at_epoch_ms": at,
        "completed_at": at + 20_000,
        "queue_partition_key": row["mirror"],
        "serialization": "portable_json",
        "inputs": json.dumps({"args": [json.loads(str(row["update_values"]))], "kwargs": {}}),
    }


def took(url: str) -> dict[str, float]:
    """Give the seconds that each way takes, medians."""
    found = {}
    with closing(Store(url)) as store:
        for name, ask in WAYS.items():
            ask(store.views)  # SQLAlchemy compiles a query once
            times = []
            for _ in range(RUNS):
                began = time.monotonic()
                ask(store.views)
                times.append(time.monotonic() - began)
            found[name] = statistics.median(times)
    return found


def measure() -> list[str]:
    """Give the rows of the report."""
    measured: dict[str, dict[str, float]] = {}
    few: dict[str, dict[str, float]] = {}
    with ExitStack() as stack:
        for name, url in _databases(stack):
            for count, into in ((FEW, few), (STORED, measured)):
                at = url.format(count=count)
                fill(at, count)
                into[name] = took(at)
    names = list(measured)
    head = " | ".join(f"{name} | ratio" for name in names)
    lines = [f"| | {head} |", f"| --- |{' --- | --- |' * len(names)}"]
    for way in WAYS:
        cells = (
            f"{measured[n][way] * 1000:.1f} ms | {measured[n][way] / few[n][way]:.1f}"
            for n in names
        )
        lines.append(f"| {way} | {' | '.join(cells)} |")
    said = f"{STORED:,} updates are stored; the ratio is to {FEW:,}. Medians of {RUNS} runs."
    return [*lines, "", said]


def _databases(stack: ExitStack) -> Iterator[tuple[str, str]]:
    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="gm-stored-"))
    yield "SQLite", f"sqlite:///{directory}/updates-{{count}}.sqlite"
    try:
        server = stack.enter_context(postgres())
    except LabError:
        return
    yield "PostgreSQL", f"{server.removesuffix('/postgres')}/gm_{{count}}"


if __name__ == "__main__":
    print("\n".join(measure()))
