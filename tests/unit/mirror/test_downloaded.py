"""Lines that say how far a download is, of yum 3, dnf 4 and dnf 5."""

from __future__ import annotations

import time

import pytest

from gm_analytics.mirror.coming import Came, came, to_come
from gm_analytics.mirror.printed import MAX_LINE


@pytest.mark.parametrize(
    ("line", "found"),
    [
        # dnf 4.14 of the lab
        ("(3/17): nmap-7.92-1.el9.x86_64.rpm     1.2 MB/s | 5.4 MB     00:04", (3, 17)),
        # a name that was cut to the terminal's width
        ("(10/10): a-very-long-name-of-a-package-1.2.3-4 12 MB/s | 5.4 MB     00:04", (10, 10)),
        # dnf 5.2
        (
            "[ 3/17] nmap-3:7.92-1.el9.x86_64       100% |   1.2 MiB/s |   5.4 MiB |  00m04s",
            (3, 17),
        ),
        (
            "[17/17] Total                          100% |   1.2 MiB/s |   5.4 MiB |  00m04s",
            (17, 17),
        ),
        # yum 3.4
        ("(1/3): nmap-6.40-19.el7.x86_64.rpm                        | 4.0 MB   00:00:01", (1, 3)),
        # metadata, and dnf 5's transaction
        ("(1/4): base/7/x86_64/group_gz                             | 166 kB   00:00:00", None),
        ("AppStream                              1.2 MB/s | 5.4 MB     00:04", None),
        ("[1/2] Verify package files             100% |   1.0 KiB/s |   1.0   B |  00m00s", None),
        # what upstream might write
        ("(0/3): a.rpm", None),
        ("(4/3): a.rpm", None),
        ("(1/1000000): a.rpm", None),
        ("(\u0661/\u0663): a.rpm", None),
        ("x (1/3): a.rpm", None),
        ("", None),
    ],
)
def test_how_many_packages_of_how_many(line: str, found: tuple[int, int] | None) -> None:
    told = came(line)
    assert (told and (told.done, told.total)) == found


@pytest.mark.parametrize(
    "line", ["(1/2): " + "a" * MAX_LINE, "[1/2] a" + " " * 1_000_000, "a.rpm" + " " * 1_000_000]
)
def test_a_long_line_takes_no_time(line: str) -> None:
    began = time.perf_counter()
    came(line)
    to_come(line)
    assert time.perf_counter() - began < 0.1


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("(3/17): nmap-7.92-1.el9.x86_64.rpm     1.2 MB/s | 5.4 MB     00:04", 5_662_310),
        ("(3/17): tree-1.8.0-10.el9.x86_64.rpm   1.2 MB/s |  56 kB     00:00", 57_344),
        ("(3/17): tree-1.8.0-10.el9.x86_64.rpm   1.2 MB/s | 907  B     00:00", 907),
        ("[ 3/17] nmap-3:7.92-1.el9.x86_64   100% |   1.2 MiB/s |   5.4 MiB |  00m04s", 5_662_310),
        ("[17/17] Total                      100% |   1.2 MiB/s |   5.4 MiB |  00m04s", 0),
        ("(1/3): nmap-6.40-19.el7.x86_64.rpm                      | 4.0 MB   00:00:01", 4_194_304),
        ("(1/3): nmap-6.40-19.el7.x86_64.rpm", 0),
        ("(1/3): a.rpm | 999999999999.999999999999 GB 00:00", 999_999_999_999 * 2**30 + 2**30 - 1),
    ],
)
def test_how_many_bytes_came(line: str, found: int) -> None:
    told = came(line)
    assert told
    assert told.size == pytest.approx(found)


def test_the_only_package_of_a_download_has_no_number() -> None:
    line = "tree-1.8.0-10.el9.x86_64.rpm                    5.5 MB/s |  56 kB     00:00"
    assert came(line) == Came(1, 1, 57_344)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Total download size: 57 k", 58_368),
        ("Total download size: 2.5 G", 2_684_354_560),
        ("Total download size: 907", 907),
        ("Total size of inbound packages is 3.5 GiB. Need to download 61 KiB.", 62_464),
        ("Total size: 96 k", 0),
        ("x Total download size: 57 k", 0),
        ("Total download size: many", 0),
    ],
)
def test_how_many_bytes_will_come(line: str, found: int) -> None:
    assert to_come(line) == found
