"""What the README and docs/review.md promise of `make demo`."""

from __future__ import annotations

import subprocess
import sys

import pytest


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


def test_a_demo_that_does_not_exist_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab.demo", "revue"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "demo: no such demo: revue; there is `review`\n"
