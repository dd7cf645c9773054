"""What clients take is one file: in documents, by commands, from the cookbook."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gm_analytics.mirror import client_file, preview_repo

URL = "http://mirror.example.com/repo/"
KEY = f"{URL}RPM-GPG-KEY-gm-mirror"
DOCUMENTS = sorted([Path("README.md"), *Path("docs").glob("*.md")])
TEMPLATE = Path("cookbooks/mirror_client/templates/mirror.repo.erb")


def keys(text: str) -> list[str]:
    return [line.partition("=")[0] for line in text.splitlines() if "=" in line]


def test_a_signed_and_an_unsigned_form() -> None:
    assert client_file.of_mirror("mirror.example.com", URL, KEY) == (
        "[gm-mirror]\nname=Private mirror mirror.example.com\n"
        f"baseurl={URL}\nenabled=1\ngpgcheck=0\nrepo_gpgcheck=1\ngpgkey={KEY}\nmetadata_expire=1\n"
    )
    assert client_file.of_mirror("m", URL) == (
        "[gm-mirror]\nname=Private mirror m\n"
        f"baseurl={URL}\nenabled=1\ngpgcheck=0\nrepo_gpgcheck=0\nmetadata_expire=1\n"
    )


def test_a_previews_file_is_the_same_with_a_line_more() -> None:
    text = preview_repo.repo_file(42, "team/packages#42", URL, KEY)
    usual = keys(client_file.of_mirror("m", URL, KEY))
    assert keys(text) == [*usual, "skip_if_unavailable"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_documents_have_no_other(path: Path) -> None:
    """Whatever mirror they name."""
    for block in re.findall(r"^\[gm-mirror\]\n(?:.+=.*\n)+", path.read_text(), re.MULTILINE):
        values = dict(line.split("=", 1) for line in block.splitlines()[1:])
        name = values["name"].removeprefix("Private mirror ")
        assert block == client_file.of_mirror(name, values["baseurl"], values.get("gpgkey", ""))


def test_the_documents_have_both_forms() -> None:
    text = Path("docs/operations.md").read_text()
    assert {"repo_gpgcheck=0\n", "repo_gpgcheck=1\n"} <= set(re.findall("repo_gpgcheck=.\n", text))


def test_the_cookbook_writes_the_same() -> None:
    """With a setting for whoever wants upstream's signatures checked, and another time."""
    assert keys(re.sub("<%.*?%>", "", TEMPLATE.read_text())) == keys(
        client_file.of_mirror("m", URL, KEY)
    )
    defaults = Path("cookbooks/mirror_client/attributes/default.rb").read_text()
    assert f"['metadata_expire'] = {client_file.EXPIRE}\n" in defaults
    assert f"['repository'] = '{client_file.ID}'\n" in defaults
