"""docs/troubleshooting.md names each error, in the words that a terminal shows, with its cure."""

from __future__ import annotations

from gm_analytics.errors import LockHeld
from lab import troubleshooting

TEXT = troubleshooting.DOCUMENT.read_text("utf-8")


def test_the_table_is_as_the_errors_say() -> None:
    """After a change to either: `make helper`."""
    assert troubleshooting.written(TEXT) == TEXT


def test_each_error_has_a_row_and_each_fault_a_heading() -> None:
    found = troubleshooting.classes()
    assert LockHeld in found
    assert {cls.fault for cls in found} <= set(troubleshooting.HEADINGS)
    rows = [line for line in TEXT.splitlines() if line.startswith("| `")]
    assert len(rows) == len(found)
