"""The one place where the parts are put together, each made when it is first used.

The engine and the client of GitHub are imported then, too: most commands need neither.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gm_analytics.github import webhook
from gm_analytics.mirror.access import Mirrors
from gm_analytics.operations.by_hand import Operations
from gm_analytics.operations.listed import Book
from gm_analytics.pull_requests.called import Called
from gm_analytics.pull_requests.intake import Intake, threads
from gm_analytics.pull_requests.reporter import Reporter
from gm_analytics.pull_requests.rules import Rules
from gm_analytics.pull_requests.teller import Teller
from gm_analytics.settings import Settings, find, load
from gm_analytics.supervisor import NOBODY, Supervisor
from gm_analytics.updates.model import Mode

if TYPE_CHECKING:
    from gm_analytics.engine.client import Store
    from gm_analytics.github.client import GitHub

PAGE = "/ci_server/updates"


class Service:
    """Everything that one configuration stands for."""

    def __init__(self, config: Settings) -> None:
        self.settings = config
        self.tell = Teller(config, lambda: self.store)

    @classmethod
    def from_file(cls, path: Path | None = None) -> Service:
        """Read the configuration, by default from the usual places; may raise `ConfigError`."""
        return cls(load(find(path)))

    @cached_property
    def store(self) -> Store:
        """The durable store; opening it may raise `StoreUnavailable`."""
        from gm_analytics.engine.client import Store  # noqa: PLC0415

        return Store(self.settings.database_url)

    @cached_property
    def identity(self) -> str:
        """Which service this is, as publications carry it; may raise `StoreUnavailable`."""
        return self.settings.service_id or self.store.identity()

    @cached_property
    def github(self) -> GitHub:
        """The one GitHub client."""
        from gm_analytics.github.client import GitHub  # noqa: PLC0415

        return GitHub(self.settings.github)

    @cached_property
    def mirrors(self) -> Mirrors:
        """The mirrors, by name."""
        return Mirrors(self.settings, lambda: self.identity)

    @cached_property
    def operations(self) -> Operations:
        """What a person asks for."""
        mode: Mode = "exact" if self.settings.publishes_on_merge else "additive"
        return Operations(self.mirrors, mode, self.tell.compared, Book(lambda: self.store))

    @cached_property
    def intake(self) -> Intake:
        """What takes deliveries."""
        config = self.settings
        return Intake(
            read=lambda headers, body: webhook.receive(config.webhook.secret, headers, body),
            rules=Rules.of(config),
            mirrors_of=lambda repository: [one.name for one in config.mirrors_of(repository)],
            updates=lambda: self.store,
            tell=self.tell if config.github.has_token else None,
            page=lambda update_id: self.page(update_id) or f"{PAGE}/{update_id}",
            threads=threads(config.database_url),
        )

    def page(self, update_id: str) -> str:
        """Give the address of an update's status page, empty if the outside cannot reach it."""
        public = str(self.settings.public_url or "").rstrip("/")
        return f"{public}{PAGE}/{update_id}" if public else ""

    @property
    def reporter(self) -> Reporter | None:
        """What speaks on pull requests; without a token nothing does."""
        if not self.settings.github.has_token:
            return None
        forge = Called(self.github, self.store.called_now)
        return Reporter(self.store, forge, self.page, self.settings)

    def worker(
        self, clock: Callable[[], float] = time.time, supervisor: Supervisor = NOBODY
    ) -> AbstractContextManager[None]:
        """Perform updates in this process until the block ends."""
        from gm_analytics.pull_requests.working import working  # noqa: PLC0415

        return working(
            self.settings,
            store=self.store,
            mirrors=self.mirrors,
            github=self.github,
            intake=self.intake,
            teller=self.tell,
            reporter=self.reporter,
            clock=clock,
            supervisor=supervisor,
        )
