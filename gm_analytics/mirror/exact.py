"""What the pool may serve for: only what upstream has now, with the same bytes.

yum is offered the pool, since that costs one run where two would be needed to fetch nothing twice.
What it took from there is then compared with upstream's own metadata; where that has not a
package, or has other bytes, the pool does not offer it and the specs are solved once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gm_analytics.errors import BadPackages, GmError, PoolIncomplete, Unresolvable
from gm_analytics.mirror import downloads, yum
from gm_analytics.mirror.host import Host
from gm_analytics.mirror.publication import Download
from gm_analytics.mirror.survey import UNKNOWN
from gm_analytics.rpm import grammar

WITHHELD = "except.txt"


@dataclass(frozen=True)
class Basis:
    """What a set is solved on: what is live, and the preview of a pull request."""

    live: str = ""
    number: int = 0
    exact: bool = False

    def may_be(self, *, keep: bool) -> set[str]:
        """Give the repositories whose packages count only if upstream has them."""
        follows = self.exact and not keep
        return {yum.PREVIEW_ID, yum.POOL_ID} if follows else {yum.PREVIEW_ID}


class Comparer:
    """Solves, and compares what was taken from the pool with what upstream has."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def solve(self, update_id: str, basis: Basis, solve: Callable[[], Download]) -> Download:
        """Solve until nothing is taken from the pool that upstream does not have."""
        doubtful = basis.may_be(keep=self._host.target.withdrawn == "keep")
        told: tuple[str, ...] = ()
        for last in (False, False, True):
            failed: GmError | None = None
            found = Download((), ())
            try:
                found = solve()
            except (BadPackages, PoolIncomplete, Unresolvable) as error:
                if not basis.exact or last:
                    raise
                failed = error
            used = {row.nevra: row.repository for row in found.rows if row.repository in doubtful}
            if last or not (used or failed):
                break
            stale = self._stale(basis)
            taken = [nevra for nevra in used if stale is None or nevra in stale]
            if failed and not stale:
                raise failed
            if not (taken or failed):
                break
            live = (nevra for nevra in taken if used[nevra] == yum.POOL_ID)
            told = (*told, *(nevra for nevra in live if stale and stale[nevra] == "gone"))
            self._withhold(update_id, doubtful, stale)
        return replace(found, withdrawn=told)

    def _stale(self, basis: Basis) -> dict[str, str] | None:
        """Say what of the pool upstream does not have, and why; None if that cannot be told."""
        doing = "comparing the pool with upstream"
        directories = [basis.live, *([f"previews/{basis.number}"] if basis.number else [])]
        argv = downloads.withdrawn(self._host.target, self._host.tools, filter(None, directories))
        result = self._host.ssh.run(argv, doing, self._host.target.timeout)
        if result.exited == UNKNOWN:
            return None
        printed = self._host.check(result, argv, doing)
        with self._host.answer(doing):
            pairs = [line.partition(" ") for line in grammar.lines(printed, "a package")]
            return {grammar.NEVRA.check(nevra): word for word, _, nevra in pairs}

    def _withhold(
        self, update_id: str, repositories: set[str], stale: dict[str, str] | None
    ) -> None:
        if stale is not None:
            self._host.put_list(update_id, WITHHELD, stale)
        argv = downloads.withhold(self._host.target, update_id, sorted(repositories))
        self._host.run(argv, "leaving out what upstream does not have")
