"""What clients take is one file: in documents, by commands, from the cookbook."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

from gm_analytics.mirror import client_file, preview_repo
from gm_analytics.mirror.addresses import MIRRORLIST
from gm_analytics.mirror.client_file import Trusted
from gm_analytics.mirror.public_keys import MOST, PublicKey, Signatures
from gm_analytics.mirror.publication import Publication

URL = "http://mirror.example.com/repo/"
KEY = f"{URL}RPM-GPG-KEY-gm-mirror"
OURS, THEIRS = "A" * 40, "B" * 40
UPSTREAM = PublicKey(THEIRS, "0123456789ab" + "c" * 52, ("B" * 16,), "Upstream <up@example.com>")
THEIR_KEY = f"{URL}keys/RPM-GPG-KEY-{THEIRS}-0123456789ab"
DOCUMENTS = sorted([Path("README.md"), *Path("docs").glob("*.md")])
TEMPLATE = Path("cookbooks/mirror_client/templates/mirror.repo.erb")
SIGNED = Publication(
    7, repository="team/packages#42", key=OURS, signatures=Signatures((UPSTREAM,))
)


def keys(text: str) -> list[str]:
    return [line.partition("=")[0] for line in text.splitlines() if "=" in line]


def said(publication: Publication | None) -> str:
    return "\n".join(client_file.notes(publication))


def test_each_form() -> None:
    begins = "[gm-mirror]\nname=Private mirror m\n"
    both = Trusted.of(SIGNED, URL)
    assert client_file.of_mirror("m", URL, both) == (
        f"{begins}baseurl={URL}\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\n"
        f"gpgkey={KEY} {THEIR_KEY}\nmetadata_expire=1\n"
    )
    assert client_file.of_mirror("m", URL, Trusted(packages=(THEIR_KEY,))) == (
        f"{begins}baseurl={URL}\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=0\n"
        f"gpgkey={THEIR_KEY}\nmetadata_expire=1\n"
    )
    assert client_file.of_mirror("m", URL) == (
        f"{begins}baseurl={URL}\nenabled=1\ngpgcheck=0\nrepo_gpgcheck=0\nmetadata_expire=1\n"
    )
    safe = URL.replace("http:", "https:")
    assert client_file.of_mirror("m", safe, both, username="fleet", mirrorlist=True) == (
        f"{begins}mirrorlist={safe}repodata/mirrorlist\nenabled=1\ngpgcheck=1\n"
        f"repo_gpgcheck=1\ngpgkey={KEY} {THEIR_KEY}\nsslverify=1\nusername=fleet\n"
        "metadata_expire=1\n"
    )


@pytest.mark.parametrize("base_url", [URL, URL.replace("http:", "https:")])
@pytest.mark.parametrize("key", [OURS, ""])
def test_it_passes_the_rules_of_cis_and_stig_on_repository_files(base_url: str, key: str) -> None:
    """CIS EL 9 1.2.1.2 and 1.2.1.3, STIG RHEL-09-214015 to 214030: nothing turns a check off."""
    made = Publication(7, key=key, signatures=Signatures((UPSTREAM,)))
    text = client_file.of_mirror("m", base_url, Trusted.of(made, base_url))
    parser = ConfigParser(interpolation=None)
    parser.read_string(text)
    for section in parser.sections():
        values = parser[section]
        assert values.getboolean("gpgcheck") is True
        assert values.getboolean("sslverify", fallback=True) is True
        assert values.getboolean("repo_gpgcheck") is bool(key)
        assert int(values["metadata_expire"]) <= 3600
        assert not {"sslcacert", "skip_if_unavailable", "proxy"} & set(values)
    assert ("repo_gpgcheck=0: the mirror does not sign" in said(made)) == (not key)


def test_the_comments_name_the_keys_and_what_none_of_them_signed() -> None:
    assert said(SIGNED).splitlines() == [
        f"packages: {THEIRS} (Upstream <up@example.com>)",
        f"metadata: {OURS}",
    ]
    assert "not known who signed" in said(None)
    assert "not known who signed" in said(Publication(1, key=OURS))
    mixed = Signatures((UPSTREAM,), ("a-1-1.noarch.rpm",), ("C" * 16,))
    found = said(Publication(1, signatures=mixed))
    assert f"not known: {'C' * 16}, which sign packages too" in found
    assert "not signed: a-1-1.noarch; a client takes them with `dnf --nogpgcheck install`" in found
    nobody = Signatures((), tuple(f"p{n}-1-1.noarch.rpm" for n in range(MOST)))
    found = said(Publication(1, signatures=nobody))
    assert "p4-1-1.noarch and 45 or more others; gpgcheck=0" in found


def test_a_previews_file_is_the_same_with_a_line_more() -> None:
    text = preview_repo.repo_file(SIGNED, URL)
    usual = keys(client_file.of_mirror("m", URL, Trusted.of(SIGNED, URL)))
    assert keys(text) == [*usual, "skip_if_unavailable"]
    assert f"baseurl={URL}previews/7/\n" in text
    assert f"gpgkey={KEY} {THEIR_KEY}\n" in text


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_documents_have_no_other(path: Path) -> None:
    """Whatever mirror they name; none tells a client to check nothing."""
    for block in re.findall(r"^\[gm-mirror\]\n(?:.+=.*\n)+", path.read_text(), re.MULTILINE):
        values = dict(line.split("=", 1) for line in block.splitlines()[1:])
        name = values["name"].removeprefix("Private mirror ")
        addresses = values["gpgkey"].split()
        ours = tuple(one for one in addresses if one.endswith("RPM-GPG-KEY-gm-mirror"))
        trusted = Trusted(ours, tuple(one for one in addresses if one not in ours))
        assert trusted.packages
        by_list = "mirrorlist" in values
        base = values.get("baseurl") or values["mirrorlist"].removesuffix(MIRRORLIST)
        username = values.get("username", "")
        more = tuple(
            f"{word}={values[word]}" for word in ("password", "sslcacert") if word in values
        )
        assert block == client_file.of_mirror(
            name, base, trusted, username=username, mirrorlist=by_list, more=more
        )


def test_the_documents_have_both_forms() -> None:
    text = Path("docs/operations.md").read_text()
    assert {"repo_gpgcheck=0\n", "repo_gpgcheck=1\n"} <= set(re.findall("repo_gpgcheck=.\n", text))


def test_the_cookbook_writes_the_same() -> None:
    """With a setting for whoever wants another time."""
    written = keys(re.sub("<%.*?%>", "", TEMPLATE.read_text()))
    safe = client_file.of_mirror(
        "m", URL.replace("http:", "https:"), Trusted.of(SIGNED, URL), username="fleet"
    )
    theirs = [word for word in written if word not in {"mirrorlist", "password", "sslcacert"}]
    assert theirs == keys(safe)
    defaults = Path("cookbooks/mirror_client/attributes/default.rb").read_text()
    assert f"['metadata_expire'] = {client_file.EXPIRE}\n" in defaults
    assert f"['repository'] = '{client_file.ID}'\n" in defaults
