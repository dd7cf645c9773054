"""The documents: links lead somewhere, commands and options exist, names are no real host's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from gm_analytics.settings import Settings
from tests.support.commands import ALL

TOP = Path(__file__).parents[2]
DOCUMENTS = [TOP / "README.md", TOP / "CONTRIBUTING.md", *sorted((TOP / "docs").glob("*.md"))]
OF_THE_LAB = {"README.md", "lab.md", "review.md"}
"""These show what the lab prints, which is the course's."""
SMALL = {
    "webhook": {"secret": "s" * 64, "repositories": ["team/packages"]},
    "mirrors": [
        {
            "name": "mirror.example.com",
            "identity_file": "/dev/null",
            "known_hosts": "/dev/null",
            "url": "http://mirror.example.com/repo/",
            "upstream": {"releasever": "9"},
        }
    ],
}
"""A configuration that lacks nothing."""
every = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def anchors(text: str) -> set[str]:
    """Give the anchors that GitHub makes of headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name) if name else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), link


@every
def test_commands_in_blocks_exist_with_their_options(path: Path) -> None:
    blocks = re.findall(
        r"^```sh[^\n]*\n(.*?)^```$", path.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
        for name, rest in re.findall(r"\bgm-analytics ([a-z][a-z-]*)([^#|>;&]*)", line):
            command = ALL[name]
            known = {option for one in command.params for option in one.opts}
            assert set(re.findall(r"(?<=\s)--[a-z-]+", rest)) <= known, line


@every
def test_hosts_in_examples_are_nobody_s(path: Path) -> None:
    if path.name not in OF_THE_LAB:
        assert "icesi" not in path.read_text("utf-8")


@pytest.mark.parametrize("name", ["github.md", "operations.md"])
def test_what_is_shown_of_a_configuration_is_taken(name: str, tmp_path: Path) -> None:
    """Each block of YAML, in the place of what a small one has."""
    text = (TOP / "docs" / name).read_text("utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks
    for shown in blocks:
        block = shown.replace("/etc/gm_analytics", str(tmp_path))
        for path in re.findall(rf"{tmp_path}/\w+(?:\.\w+)?", block):
            Path(path).write_text("word" * 10)
        Settings.model_validate({**SMALL, **yaml.safe_load(block)})
