"""What changes a solution changes the key, and nothing else does."""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, fields
from typing import Any

import pytest

from gm_analytics.manifest import Manifest
from gm_analytics.mirror.solve_key import SolveKey
from gm_analytics.settings import Upstream

TREE = Manifest.parse(b'["tree"]')
UPSTREAM = Upstream(releasever="9")


def key(manifest: Manifest = TREE, *, exact: bool = False, **changes: Any) -> SolveKey:
    return SolveKey.of(manifest, UPSTREAM.model_copy(update=changes), exact=exact)


@pytest.mark.parametrize(
    "changes",
    [
        {"manifest": Manifest.parse(b'["tree", "nmap"]')},
        {"exact": True},
        {"reposdir": "/srv/repos"},
        {"releasever": "10"},
        {"arch": "aarch64"},
        {"module_platform_id": "platform:el9"},
        {"weak_dependencies": True},
        {"signatures": "required"},
    ],
)
def test_what_changes_a_solution_changes_the_digest(changes: dict[str, Any]) -> None:
    other = key(**changes)
    assert other.digest != key().digest
    assert not other.is_among({key().digest, *key().former})


def test_when_upstream_is_read_again_changes_no_solution() -> None:
    assert key(max_age=0).digest == key().digest


def test_a_digest_stays_what_it_is() -> None:
    """It is on mirrors: a change here has each of them solve once more."""
    assert key().digest == ("4bccbcf0ab2f1d614aad5595334531a09deaa3fa259ac922f627e7ed3aaad97c")


def test_a_field_that_is_added_with_a_default_changes_no_digest() -> None:
    counted = {one.name for one in fields(SolveKey) if one.default is MISSING}
    assert counted == {"manifest", "exact", "reposdir", "releasever"}
    text = json.dumps({name: getattr(key(), name) for name in sorted(counted)})
    assert key().digest == hashlib.sha256(text.encode()).hexdigest()


def test_what_a1fa4e0_noted_is_recognised() -> None:
    """It made its digests of the whole section `upstream`, as pydantic writes it."""
    section = (
        '{"reposdir":"/etc/yum.repos.d","releasever":"9","arch":null,"module_platform_id":null,'
        '"weak_dependencies":false,"signatures":"upstream","max_age":600}'
    )
    noted = hashlib.sha256(f"{TREE.digest}\n{section}\nFalse".encode()).hexdigest()
    assert key().is_among({noted})
    assert not key(exact=True).is_among({noted})
    assert not key(releasever="10").is_among({noted})
