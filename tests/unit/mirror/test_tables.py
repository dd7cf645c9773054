"""The transaction tables that yum 3, dnf 4 and dnf 5 print, as they printed them."""

import re
from pathlib import Path

import pytest

from gm_analytics.mirror.printed import listing, transaction
from gm_analytics.rpm.package import Row

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


LISTED = (
    Row("nmap", "x86_64", "3:7.92-1.el9", "appstream", 0),
    Row("nmap", "x86_64", "3:7.94-1.el9", "appstream", 0),
    Row(LONG, "x86_64", "1:1.8.0.412.b08-1.el9", "updates", 0),
    Row("tree", "noarch", "1.8.0-1.el9", "base", 0),
)


@pytest.mark.parametrize(
    "output",
    [
        pytest.param(
            "nmap.x86_64 3:7.92-1.el9 appstream\n\nnmap.x86_64 3:7.94-1.el9 appstream\n\n"
            f"{LONG}.x86_64 1:1.8.0.412.b08-1.el9 updates\n\ntree.noarch 1.8.0-1.el9 base\n\n",
            id="dnf 4: an empty line between",
        ),
        pytest.param(
            "nmap.x86_64 3:7.92-1.el9 appstream\nnmap.x86_64 3:7.94-1.el9 appstream\n"
            f"{LONG}.x86_64 1:1.8.0.412.b08-1.el9 updates\ntree.noarch 1.8.0-1.el9 base\n",
            id="dnf 5",
        ),
        pytest.param(
            "Loaded plugins: fastestmirror\nAvailable Packages\n"
            "nmap.x86_64              3:7.92-1.el9           appstream\n"
            "nmap.x86_64              3:7.94-1.el9           appstream\n"
            f"{LONG}.x86_64\n"
            "                         1:1.8.0.412.b08-1.el9  updates  \n"
            "tree.noarch              1.8.0-1.el9            base     \n",
            id="yum 3: a long name is wrapped",
        ),
    ],
)
def test_a_list_of_what_upstream_has_is_read(output: str) -> None:
    assert listing(output) == LISTED


def test_what_is_no_list_has_no_packages() -> None:
    assert listing("Error: no cache\nLast metadata expiration\n three words here\n") == ()
