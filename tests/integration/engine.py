"""Stores and workers in this process, with work that needs no mirror."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dbos._schemas import SCHEMA_PLACEHOLDER

from gm_analytics.engine.client import Store
from gm_analytics.engine.database import connect
from gm_analytics.engine.steps import DurableStep
from gm_analytics.engine.worker import worker
from gm_analytics.updates.model import Outcome, Record, Update
from gm_analytics.updates.waiting import Retry

NOW = 1_764_000_000.0
EXECUTOR = "golden"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database that is not there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/updates.sqlite"
    server: str = request.getfixturevalue("postgres")
    return f"{server.removesuffix('/postgres')}/gm_{uuid.uuid4().hex}"


@contextmanager
def opened(url: str) -> Iterator[Store]:
    with closing(Store(url)) as store:
        yield store


def update(name: str, mirror: str = "east", number: int = 1, at: int = 0, **more: Any) -> Update:
    changed = f"2026-11-20T10:00:{at:02d}Z"
    return Update(
        name, mirror, "icesi/packages", number, f"{number:040x}", NOW + at, updated_at=changed,
        **more,
    )  # fmt: skip


@dataclass
class Work:
    """Performs updates in two steps; those of `failing` fail. Remembers what ran."""

    failing: set[str] = field(default_factory=set)
    ran: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, work: Update, step: DurableStep) -> Outcome:
        def manifest() -> str:
            self.ran.append((work.id, "fetch manifest"))
            return "tree"

        def download() -> str:
            self.ran.append((work.id, "download"))
            if work.id in self.failing:
                raise ValueError("no luck")
            return "done"

        step("fetch manifest", manifest)
        return Outcome("published", f"{work.id} {step('download', download)}", "p1", ("tree",))

    def of(self, name: str) -> list[str]:
        return [step for update_id, step in self.ran if update_id == name]


@contextmanager
def working(url: str, work: Work | None = None) -> Iterator[Work]:
    done = work or Work()
    with worker(url, done, lambda *_: None, Retry(1, 0.01), EXECUTOR):
        yield done


def await_ends(store: Store, *names: str) -> dict[str, Record]:
    """Wait for each update's end, with a deadline; give the records."""
    deadline = time.monotonic() + 30
    found = {name: store.get(name)[0] for name in names}
    while any(record.state in {"waiting", "running"} for record in found.values()):
        assert time.monotonic() < deadline, {n: record.state for n, record in found.items()}
        time.sleep(0.05)
        found = {name: store.get(name)[0] for name in names}
    return found


@contextmanager
def sql(url: str) -> Iterator[sa.Connection]:
    """Write what nobody but an intruder, or a crash, would; into `SystemSchema`'s tables too."""
    engine = connect(url)
    schemas = {"gm": "gm_analytics", "dbos": "dbos", SCHEMA_PLACEHOLDER: "dbos"}
    if url.startswith("sqlite"):
        schemas = dict.fromkeys(schemas)
    with engine.execution_options(schema_translate_map=schemas).begin() as connection:
        yield connection
    engine.dispose()


def gm(url: str) -> str:
    """Give what stands before the names of the engine's tables."""
    return "" if url.startswith("sqlite") else "gm_analytics."


KILLED = """
import os, signal, sys
from dbos._sys_db import SystemDatabase
from gm_analytics.engine import worker as module
from gm_analytics.engine.client import Store
from tests.integration.engine import Work, working

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

url, moment = sys.argv[1:]
if moment == "before index":
    module.index.end = die
else:
    SystemDatabase.update_workflow_outcome = die
with working(url, Work({"failing"})):
    Store(url).await_end("one")
"""
"""A worker that is killed as it would record an end: in the index, or in DBOS."""
KILLED_BY = [sys.executable, "-c", KILLED]
