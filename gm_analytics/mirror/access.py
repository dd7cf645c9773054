"""The mirrors of the configuration, opened by name: what an update is performed on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import copy

from gm_analytics.errors import StoreUnavailable
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.basis import basis_of, changes
from gm_analytics.mirror.ownership import Owner
from gm_analytics.mirror.served import wait_until_visible
from gm_analytics.mirror.session import Session
from gm_analytics.mirror.solve_key import SolveKey
from gm_analytics.remote.lines import Hear, ignore
from gm_analytics.remote.stop import Stop
from gm_analytics.settings import Mirror, Settings

log = logging.getLogger(__name__)


class Mirrors:
    """Opens mirrors and looks at what they serve.

    `identity` says which service this is, as publications carry it.
    """

    def __init__(
        self,
        config: Settings,
        identity: Callable[[], str],
        hear: Hear = ignore,
        stop: Stop | None = None,
    ) -> None:
        self._config = config
        self._identity = identity
        self._hear = hear
        self._stop = stop
        self._accepts_resigned = False

    def heard_by(self, hear: Hear) -> Mirrors:
        """Give the same mirrors; what their hosts say while they work is heard."""
        found = copy(self)
        found._hear = hear
        return found

    def stopped_by(self, stop: Stop) -> Mirrors:
        """Give the same mirrors; what is done on their hosts ends when it is asked to."""
        found = copy(self)
        found._stop = stop
        return found

    def accepting_resigned(self) -> Mirrors:
        """Give the same mirrors; RPMs that upstream signed again are taken, as new files."""
        found = copy(self)
        found._accepts_resigned = True
        return found

    def asking_now(self) -> Mirrors:
        """Give the same mirrors, for which nothing that is known of upstream is new enough."""
        mirrors = list(map(_asking_now, self._config.mirrors))
        found = copy(self)
        found._config = self._config.model_copy(update={"mirrors": mirrors})
        return found

    def open(self, name: str, *, taking_over: bool = False) -> Session:
        """Give a mirror, not yet connected; its lock is taken with the connection.

        Raises:
            StoreUnavailable: the database that keeps the service's identity did not answer.

        """
        mirror = self._config.mirror(name)
        found = Session(
            mirror,
            service=self._identity(),
            taking_over=taking_over,
            hear=self._hear,
            stop=self._stop,
            basis=self.basis(name),
        )
        found.publisher.accepts_resigned = self._accepts_resigned
        return found

    def basis(self, name: str) -> dict[str, str]:
        """Give what a mirror's publications are made with now."""
        return basis_of(self._config.mirror(name), self._config.publish)

    @property
    def identity(self) -> str:
        """Which service this is."""
        return self._identity()

    def read(self, name: str) -> Session:
        """Give a mirror to read from, without its lock."""
        config = self._config.mirror(name)
        return Session(config, locked=False, stop=self._stop, basis=self.basis(name))

    def changes(self, name: str, publication: str) -> list[str]:
        """Say how a mirror's configuration differs from what a publication was made with."""
        return changes(publication, self.basis(name))

    def other_service(self, session: Session) -> Owner | None:
        """Give the other service that publishes on a mirror, for who only reads it."""
        try:
            owner = session.host.owner()
            return owner if owner.is_other(self._identity()) else None
        except StoreUnavailable as error:  # then it cannot be told
            log.warning("%s", error)
            return None

    def solve_key(self, name: str, manifest: Manifest, *, exact: bool) -> SolveKey:
        """Give what decides which packages a manifest means on a mirror as it is configured."""
        return SolveKey.of(manifest, self._config.mirror(name).upstream, exact=exact)

    def preview_url(self, name: str, number: int) -> str:
        """Give the address of a pull request's preview."""
        return f"{self._config.mirror(name).base_url}{_preview(number)}"

    def wait_until_visible(self, name: str, repomd: str, preview: int | None) -> None:
        """Wait until clients are served the repomd.xml of this SHA-256, live or of a preview.

        Raises:
            NotVisible: the web server goes on serving something else, or does not answer.

        """
        below = _preview(preview) if preview is not None else ""
        wait_until_visible(self._config.mirror(name), repomd, below)


def _asking_now(mirror: Mirror) -> Mirror:
    upstream = mirror.upstream.model_copy(update={"max_age": 0})
    return mirror.model_copy(update={"upstream": upstream})


def _preview(number: int) -> str:
    return f"previews/{number}/"
