"""known_hosts means here what it means to OpenSSH."""

from __future__ import annotations

import re
import subprocess
from base64 import b64encode
from pathlib import Path

import paramiko
import pytest
from paramiko.hostkeys import HostKeys

from gm_analytics.remote import known_hosts


def line(first: int) -> str:
    """A key of its own for each number."""
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(first, first + 32))
    return f"ssh-ed25519 {b64encode(blob).decode()}"


def key(first: int) -> paramiko.PKey:
    found = known_hosts.find(f"h {line(first)}\n", "h", 22).keys
    return found[0]


ONE, TWO = line(0), line(1)
SALTED = HostKeys.hash_host("mirror.example")
CASES = {
    "its name": (f"mirror.example {ONE}", True),
    "in capitals": (f"MIRROR.example {ONE}", True),
    "beside others": (f"a,mirror.example,b {ONE}", True),
    "with a comment": (f"mirror.example {ONE} of the mirror", True),
    "tabs": (f"mirror.example\t{ONE.replace(' ', chr(9))}", True),
    "a star": (f"*.example {ONE}", True),
    "a question mark": (f"mirro?.example {ONE}", True),
    "all": (f"* {ONE}", True),
    "hashed": (f"{SALTED} {ONE}", True),
    "a bracket is no range": (f"[m]irror.example {ONE}", False),
    "another name": (f"other.example {ONE}", False),
    "a name that it ends with": (f"example {ONE}", False),
    "with a port": (f"[mirror.example]:2222 {ONE}", False),
    "excepted": (f"*.example,!mirror.example {ONE}", False),
    "excepted first": (f"!mirror.example,*.example {ONE}", False),
    "only excepted": (f"!other.example {ONE}", False),
    "a comment": (f"# mirror.example {ONE}", False),
    "commented out": (f"#mirror.example {ONE}", False),
    "nothing": ("", False),
    "no key": ("mirror.example", False),
    "half a key": ("mirror.example ssh-ed25519", False),
    "another kind of key than it says": (f"mirror.example ssh-rsa {ONE.split()[1]}", False),
    "a kind that nobody knows": ("mirror.example ssh-new AAAA", False),
    "an authority": (f"@cert-authority mirror.example {ONE}", False),
    "revoked": (f"mirror.example {ONE}\n@revoked * {ONE}", False),
    "another one revoked": (f"mirror.example {ONE}\n@revoked * {TWO}", True),
    "the second of a kind": (f"mirror.example {TWO}\nmirror.example {ONE}", True),
    "the other kind": (f"mirror.example {TWO}", False),
}


@pytest.mark.parametrize("case", CASES)
def test_a_key_is_taken_or_not(case: str) -> None:
    text, taken = CASES[case]
    refusal = known_hosts.find(text, "mirror.example", 22).refusal(key(0), "/known_hosts")
    assert (refusal == "") == taken, refusal


STRICTER = {"", "another kind of key than it says"}


@pytest.mark.parametrize("case", sorted(set(CASES) - STRICTER - {"nothing"}))
def test_openssh_finds_the_same_lines(case: str, tmp_path: Path) -> None:
    """As `ssh-keygen -F` says; of exceptions it tells nothing in its output's code."""
    text, _ = CASES[case]
    (tmp_path / "known").write_text(text + "\n")
    argv = ["ssh-keygen", "-f", str(tmp_path / "known"), "-F", "mirror.example"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    shown = [row for row in done.stdout.splitlines() if not row.startswith("# Host")]
    found = known_hosts.find(text, "mirror.example", 22)
    readable = [row for row in found.lines if row.key]
    assert len(shown) == len(readable), done.stdout


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        (f"[mirror.example]:2222 {ONE}", True),
        (f"mirror.example {ONE}", True),
        (f"[mirror.example]:2222 {TWO}\nmirror.example {ONE}", False),
        (f"[*.example]:* {ONE}", True),
        (f"[mirror.example]:22 {ONE}", False),
    ],
)
def test_of_another_port_the_name_with_it_counts_first(text: str, taken: bool) -> None:
    refusal = known_hosts.find(text, "mirror.example", 2222).refusal(key(0), "f")
    assert (refusal == "") == taken


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not in f"),
        (f"mirror.example {TWO}", "is not the one in f, ssh-ed25519 SHA256:"),
        (f"@cert-authority * {TWO}", r"certificates of hosts \(@cert-authority\) are not checked"),
        ("x y z\nmirror.example ssh-ed25519 !!!", "what line 2 has cannot be read"),
        (f"* {ONE}\n@revoked * {ONE}", "is revoked in f"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    refusal = known_hosts.find(text, "mirror.example", 22).refusal(key(0), "f")
    assert re.search(said, refusal), refusal
