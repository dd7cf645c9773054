"""Which packages of a closure were used where several provide what one needs. No I/O.

The solver takes one of them, and no more unless something else brings the others in. So what is
there anyway is what was used; what nothing else explains was brought in for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

Alternatives = frozenset[int]
"""The packages, by number, each of which fulfils one need."""


def edges(
    needs: Sequence[Collection[Alternatives]],
    wishes: Sequence[Collection[Alternatives]],
    rank: Callable[[int], Any],
) -> tuple[list[set[int]], list[set[int]]]:
    """Say which packages each package uses, and which each spec does.

    `needs` has the alternatives of each package, `wishes` those of each spec. Of several that are
    there anyway one that a spec names counts, else, and of several that are not, the one of the
    highest `rank`.
    """
    choice = _Choice(needs, wishes, rank)
    choice.settle()
    return choice.of_packages, choice.of_specs


class _Choice:
    def __init__(
        self,
        needs: Sequence[Collection[Alternatives]],
        wishes: Sequence[Collection[Alternatives]],
        rank: Callable[[int], Any],
    ) -> None:
        self._rank = rank
        self.of_packages: list[set[int]] = [set() for _ in needs]
        self.of_specs: list[set[int]] = [set() for _ in wishes]
        self._reached: set[int] = set()
        self._open: list[list[Alternatives]] = [[] for _ in needs]
        for number, every in enumerate(needs):
            self._sort(every, self.of_packages[number], self._open[number], itself=number)
        self._wished: list[tuple[set[int], Alternatives]] = []
        for used, every in zip(self.of_specs, wishes, strict=True):
            several: list[Alternatives] = []
            self._sort(every, used, several)
            self._wished += [(used, one) for one in several]

    @staticmethod
    def _sort(
        every: Iterable[Alternatives],
        used: set[int],
        several: list[Alternatives],
        itself: int = -1,
    ) -> None:
        for one in every:
            if len(one) == 1:
                used |= one
            elif one and itself not in one:
                several.append(one)

    def settle(self) -> None:
        """Follow what is certain; then choose, where nothing that fulfils a need is there."""
        named = {number for used in self.of_specs for number in used}
        self._follow(set(named))
        while unmet := [one for one in self._several() if not one[1] & self._reached]:
            for used, one in unmet:
                if not one & self._reached:  # maybe by what was chosen meanwhile
                    used.add(best := max(one, key=self._rank))
                    self._follow({best})
        for used, one in self._several():
            if not one & used:
                used.add(max(one & self._reached, key=lambda n: (n in named, self._rank(n))))
        self._explain()

    def _several(self) -> list[tuple[set[int], Alternatives]]:
        """Give the needs of what is reached that several packages fulfil, and what is used."""
        found = list(self._wished)
        for number in sorted(self._reached):
            found += [(self.of_packages[number], one) for one in self._open[number]]
        return found

    def _follow(self, fresh: set[int]) -> None:
        while fresh:
            self._reached |= fresh
            fresh = {n for one in fresh for n in self.of_packages[one]} - self._reached

    def _explain(self) -> None:
        """Take what nothing explains so far for what a need brought in that it fulfils."""
        while True:
            found = [(used, one - self._reached) for used, one in self._several()]
            fresh = {number for _, left in found for number in left}
            if not fresh:
                return
            for used, left in found:
                used.update(left)
            self._follow(fresh)
