"""The root helper has what it shares with the package from the package."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from gm_analytics.mirror.yum import repo_file
from gm_analytics.remote.commands import shell
from gm_analytics.rpm import grammar
from lab import root_helper

HELPER = root_helper.HELPER.read_text("utf-8")
START = HELPER.index("# --- from gm_analytics")
SECTION = HELPER[START : HELPER.index("# --- end ---", START)]


def test_the_helper_is_as_the_package_says() -> None:
    """After a change to either: `make helper`."""
    assert root_helper.written(HELPER) == HELPER


@pytest.mark.parametrize("line", ["ID_LONGEST=220", "mkdir -p", "baseurl=%s", "SPEC_FORM="])
def test_a_change_by_hand_is_noticed(line: str) -> None:
    assert line in SECTION
    assert root_helper.written(HELPER.replace(SECTION, SECTION.replace(line, "other"))) == HELPER


def test_a_helper_without_the_section_is_left_alone() -> None:
    assert root_helper.written("#!/bin/sh\n") == "#!/bin/sh\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PATH_FORM", grammar.ABSOLUTE_PATH.ere),
        ("WORD_FORM", grammar.WORD.ere),
        ("ID_FORM", grammar.UPDATE_ID.ere),
        ("SPEC_FORM", grammar.SPEC.ere),
        ("SPEC_LONGEST", str(grammar.SPEC.longest)),
        ("EMPTY_ROOT", shell("mirror", "empty-root")),
    ],
)
def test_a_shell_reads_what_the_package_says(name: str, expected: str) -> None:
    text = f'{SECTION}\nprintf %s "${name}"'
    done = subprocess.run(["sh", "-euc", text], capture_output=True, text=True, check=True)
    assert done.stdout == expected


@pytest.mark.parametrize("address", ["file:///var/lib/gm-mirror/u/candidate/", "file:///%s%n/"])
def test_its_repository_file_is_the_service_s(address: str) -> None:
    text = f'{SECTION}\nprintf "$REPO_FILE" {shlex.quote(address)}'
    done = subprocess.run(["sh", "-euc", text], capture_output=True, text=True, check=True)
    assert done.stdout == repo_file(address)
