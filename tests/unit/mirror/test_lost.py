"""What dnf says of files that the pool has lost."""

from __future__ import annotations

import pytest

from gm_analytics.mirror import lost

SAID = 'Package "{}" from local repository "{}" has incorrect checksum'


@pytest.mark.parametrize(
    ("nevra", "file"),
    [
        ("leaf20-1.0-1.el9.noarch", ["leaf20-1.0-1.el9.noarch.rpm"]),
        ("bind-32:9.16-1.el9.x86_64", ["bind-9.16-1.el9.x86_64.rpm"]),
        ("a; rm -r", []),
        ("../../x-1-1.noarch", []),
    ],
)
def test_files_are_named_as_the_pool_has_them(nevra: str, file: list[str]) -> None:
    line = SAID.format(nevra, "gm-pool")
    assert lost.files(f"Error opening it\n{line}\n{line}\nError: some packages") == file


def test_another_local_repository_is_not_the_pool() -> None:
    assert lost.files(SAID.format("leaf20-1.0-1.el9.noarch", "lab")) == []
