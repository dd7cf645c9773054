"""What a worker process does: perform what was taken, have it told, look at the forge."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gm_analytics.engine import watching, wishes
from gm_analytics.engine.beside import Beside
from gm_analytics.engine.client import Store
from gm_analytics.engine.housekeeping import Keep
from gm_analytics.engine.worker import worker
from gm_analytics.github.client import GitHub
from gm_analytics.mirror.access import Mirrors
from gm_analytics.mirror.looking import look
from gm_analytics.mirror.sight import Known, Seen
from gm_analytics.pull_requests.called import Called
from gm_analytics.pull_requests.intake import Intake
from gm_analytics.pull_requests.performer import Performer
from gm_analytics.pull_requests.reconciler import reconciling
from gm_analytics.pull_requests.reporter import Reporter
from gm_analytics.pull_requests.request import StoredRequest
from gm_analytics.pull_requests.teller import Teller
from gm_analytics.pull_requests.wishing import Carrier
from gm_analytics.settings import Settings
from gm_analytics.supervisor import Supervisor
from gm_analytics.updates.ports import World
from gm_analytics.updates.waiting import Retry


@contextmanager
def working(
    config: Settings,
    *,
    store: Store,
    mirrors: Mirrors,
    github: GitHub,
    intake: Intake,
    teller: Teller,
    reporter: Reporter | None,
    clock: Callable[[], float],
    supervisor: Supervisor,
) -> Iterator[None]:
    """Perform updates in this process until the block ends."""
    store.forget_events(time.time() - config.webhook.remember_seconds)
    retry = Retry(config.retry_attempts, config.retry_seconds, config.waiting_hours)
    request = StoredRequest(store, Called(github, store.called_now), config.manifest_of)
    perform = Performer(config, World(request, mirrors), request.number_of)
    work = (config.database_url, perform, reporter, retry, config.executor_id)
    carry = Carrier(config, store, teller.ended)
    more = _beside(config, mirrors, carry)
    see, keep = mirrors.wait_until_visible, Keep.of(config)
    watched = (github.watch, intake.take, store.called_now)
    performing = worker(
        *work, tell=teller.ended, see=see, clock=clock, keep=keep, more=more,
        supervisor=supervisor, drain=config.drain_seconds,
    )  # fmt: skip
    with performing, reconciling(config, *watched):
        yield


def _beside(config: Settings, mirrors: Mirrors, carry: wishes.Carry) -> list[Beside]:
    """Give what is looked at beside updates: the mirrors, and what pages ask for."""

    def see(name: str, known: Known) -> Seen:
        return look(mirrors, config.mirror(name), known)

    names = [mirror.name for mirror in config.mirrors]
    watched = [watching.looking(names, see, config.look_seconds)] if config.look_seconds else []
    return [wishes.carrying(carry), *watched]
