"""Which publications tell what the live set satisfies."""

from __future__ import annotations

import pytest

from gm_analytics.mirror.history import Held, History
from gm_analytics.mirror.publication import Publication
from gm_analytics.operations.manifests import satisfied_by


def held(number: int, kind: str) -> Held:
    made = Publication(number, "u", "", "", "", (), kind=kind) if kind else None
    return Held(f".publications/{number:06d}", number, False, 1, 0, 0, made)


@pytest.mark.parametrize(
    ("kinds", "numbers"),
    [
        pytest.param(("merge", "merge"), [2], id="a merge is exact: what was before is gone"),
        pytest.param(("add", "add", "add"), [3, 2, 1], id="an addition keeps what was before"),
        pytest.param(("", "add"), [2, 1], id="from a repository that was taken over"),
        pytest.param(("add", "rollback"), [2], id="a rollback takes back what was before"),
        pytest.param(("add", "rollback", "add"), [3, 2], id="and what is added later stays"),
        pytest.param((), [], id="nothing"),
    ],
)
def test_the_live_set_satisfies_what_it_and_all_it_only_adds_to_satisfy(
    kinds: tuple[str, ...], numbers: list[int]
) -> None:
    past = History(0, tuple(held(n, kind) for n, kind in enumerate(kinds, 1)))
    assert [one.number for one in satisfied_by(past)] == numbers
