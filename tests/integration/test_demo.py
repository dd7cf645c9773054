"""What the README and docs/review.md promise of `make demo`."""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

PAGE = Path(__file__).parents[2] / "docs" / "review.md"


def plain(text: str) -> str:
    """Leave out what is another one each time, and on each machine."""
    text = text.replace(platform.machine(), "x86_64")
    text = re.sub(r"\b([0-9a-f]{12,40}|[0-9A-F]{40})\b", "HEX", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "WHEN", text)
    return re.sub(r"\b[0-9.]+ k?B\b", "SIZE", text).strip()


@pytest.mark.parametrize(
    ("arguments", "last"),
    [
        ((), "demo: the client has the packages"),
        (("review",), "demo: every step was as it should be"),
    ],
)
def test_the_demo_tells_its_story_to_the_end(arguments: tuple[str, ...], last: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab.demo", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == last
    if arguments == ("review",):
        told = done.stdout.removesuffix(f"{last}\n")
        assert plain(told) == plain(PAGE.read_text(encoding="utf-8")), (
            "make demo DEMO='review --write'"
        )


def test_a_lab_that_is_kept_says_where_its_pages_are() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "lab.demo"],
        env={**os.environ, "KEEP": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout
        shown = {}
        for line in demo.stdout:
            what, _, where = line.strip().partition(": ")
            shown[what] = where
            if line.startswith("the lab is up"):
                break
        page = requests.get(
            shown["the updates, as pages"], headers={"Accept": "text/html"}, timeout=10
        )
        assert "published" in page.text
        assert requests.get(shown["the mirror"], timeout=10).ok
        demo.send_signal(signal.SIGINT)
        assert demo.stdout.read() == "demo: the client has the packages\n"
    assert demo.returncode == 0


def test_a_demo_that_does_not_exist_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab.demo", "revue"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "demo: no such demo: revue; there is `review`\n"
