"""The transaction tables that yum 3, dnf 4 and dnf 5 print, as they printed them."""

import re
from pathlib import Path

import pytest

from gm_analytics.yum import transaction

TABLES = sorted((Path(__file__).parent / "golden/tables").glob("*.txt"))
LONG = "java-1.8.0-openjdk-headless-slowdebug"


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_every_row_is_read(table: Path) -> None:
    """As many rows as the summary below the table counts, whichever way long ones wrap."""
    text = table.read_text()
    summary = text.partition("Transaction Summary")[2]
    counted = re.findall(
        r"^ ?Install(?:ing:)? +(\d+) .*?(?:\(\+(\d+) .*)?$", summary, re.MULTILINE
    )
    assert len(transaction(text)) == sum(int(number or 0) for pair in counted for number in pair)


@pytest.mark.parametrize("manager", ["dnf4", "dnf5", "yum3"])
def test_a_long_row_is_read_whole(manager: str) -> None:
    """Epoch, version and repository survive, and the size has its unit."""
    rows = transaction((TABLES[0].parent / f"{manager}-long.txt").read_text())
    [row] = [row for row in rows if row.name == LONG]
    assert row.evr.startswith("1:1.8.0.412.b08")
    assert row.repository.startswith("rhel-")
    big = {"dnf4": 3_040_870, "dnf5": 3_040_870, "yum3": 33 * 1024**2}[manager]
    assert max(row.size for row in rows) == big
