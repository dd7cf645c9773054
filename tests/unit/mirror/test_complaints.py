"""What yum and dnf say is wrong: the cause is repeated, whatever the manager's wording."""

from __future__ import annotations

import pytest

from gm_analytics.errors import CommandFailed, UnknownPackages, Unresolvable, UpstreamUnavailable
from gm_analytics.mirror import grouping
from gm_analytics.mirror.complaints import failure, hidden, unknown_specs, words
from gm_analytics.rpm.package import Row

BEFORE = """Last metadata expiration check: 0:00:07 ago on Thu Nov 26 19:00:00 2026.
Dependencies resolved.
 Package          Arch     Version        Repository   Size
Installing:
 perl-Error       noarch   1:0.17029-7    base         41 k
 libgpg-error     x86_64   1.42-5         base        216 k
"""
ALL_TRIED = "Cannot download repodata/repomd.xml: All mirrors were tried"
DNF4 = f"""Errors during downloading metadata for repository 'base':
  - {{}}
Error: Failed to download metadata for repo 'base': Cannot download repomd.xml: {ALL_TRIED}
"""
DNF5 = f"""Updating and loading repositories:
 base                       100% |   0.0   B/s |   0.0   B |  00m00s
>>> {{}}
Failed to download metadata (baseurl: "x") for repository "base"
 Librepo error: {ALL_TRIED}
"""
YUM3 = "Loaded plugins: fastestmirror\nhttp://nope.invalid/repodata/repomd.xml: [Errno 14] {}\n"
YUM3 += "Trying other mirror.\n\n\n One of the configured repositories failed (Unknown),\n"
YUM3 += "failure: repodata/repomd.xml from base: [Errno 256] No more mirrors to try.\n"
SAID = {
    "dnf 4, name": (DNF4, "Curl error (6): Couldn't resolve host name for http://n/repomd.xml"),
    "dnf 4, status": (DNF4, "Status code: 403 for http://n/repomd.xml (IP: 192.0.2.1)"),
    "dnf 4, certificate": (
        DNF4,
        "Curl error (60): SSL peer certificate was not OK for https://n/",
    ),
    "dnf 4, proxy": (DNF4, "Curl error (5): Couldn't resolve proxy name for http://n/repomd.xml"),
    "dnf 5, name": (DNF5, "Curl error (6): Could not resolve hostname for http://n/repomd.xml"),
    "dnf 5, status": (DNF5, "Status code: 404 for http://n/repomd.xml (IP: 192.0.2.1)"),
    "yum 3, name": (YUM3, 'curl#6 - "Could not resolve host: nope.invalid; Unknown error"'),
    "yum 3, status": (YUM3, "HTTP Error 404 - Not Found"),
    "yum 3, certificate": (YUM3, 'curl#60 - "Peer\'s certificate issuer is not trusted"'),
}


@pytest.mark.parametrize("case", SAID)
def test_the_cause_stands_at_the_beginning(case: str) -> None:
    form, cause = SAID[case]
    output = form.format(cause)
    assert cause in words(BEFORE + output)[:200]
    assert "perl-Error" not in words(BEFORE + output)
    assert failure(1, output, ["tree"]) == "network"


def test_the_cause_survives_hundreds_of_mirrors() -> None:
    mirrors = "".join(f"[MIRROR] x: Status code: 404 for http://m{n}/x\n" for n in range(500))
    said = words(f"Curl error (6): Couldn't resolve host\n{mirrors}Error: all were tried\n")
    assert said.startswith("Curl error (6)")
    assert said.endswith("Error: all were tried")


LOCAL = """Downloading Packages:
Package "tree-1.8-1.el9.x86_64" from local repository "base" has incorrect checksum
Error: Some packages from local repository have incorrect checksum
"""
UNFIT = """Errors during downloading metadata for repository 'base':
  - Downloading successful, but checksum doesn't match. Calculated: dfb3(sha256)  Expected: 574b(sha256)
Error: Failed to download metadata for repo 'base': Yum repo downloading error: Downloading error(s)
"""  # noqa: E501  # as dnf 4.14 prints it


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        (UNFIT, "moved"),
        (LOCAL, "moved"),
        ("Error: Loading repository 'base' has failed\n", "moved"),
        ("Error: Loading repository 'gm-pool' has failed\n", "other"),
        ("[Errno -1] Metadata file does not match checksum\nTrying other mirror.\n", "network"),
        (
            "Package tree-1.8-1.el9.x86_64.rpm is not signed\nError: GPG check FAILED\n",
            "signature",
        ),
    ],
)
def test_metadata_that_do_not_fit_are_upstream_s(output: str, kind: str) -> None:
    """An upstream that is being copied: its author asks for nothing wrong, and time cures it."""
    assert failure(1, output, ["tree"]) == kind


def test_the_cause_at_the_head_is_kept_in_whatever_words() -> None:
    said = words("\n".join(["it is broken", *(f"line {n}" for n in range(99)), "it ends"]))
    assert said.startswith("it is broken\n")
    assert said.endswith("\nit ends")
    assert words("one\ntwo\n") == "one\ntwo"


def test_a_line_that_is_said_again_at_once_is_repeated_once() -> None:
    assert words("Error: x\nError: x\nError: y\nError: x\n") == "Error: x\nError: y\nError: x"


CURES = {
    "Curl error (6): Couldn't resolve host name for http://a/": ("not resolved", "DNS"),
    "Curl error (5): Couldn't resolve proxy name for http://a/": ("the proxy", "`https_proxy`"),
    "Curl error (56): Received HTTP code 407 from proxy after CONNECT": ("the proxy", "dnf.conf"),
    "Status code: 407 for http://a/": ("the proxy", "`proxy`"),
    "Status code: 401 for http://a/": ("answered 401", "password"),
    "Status code: 404 for http://a/?repo=baseos-$stream": ("a variable", "/etc/dnf/vars"),
    "Status code: 404 for http://a/": ("answered 404", "releasever"),
    "[Errno 14] HTTPS Error 403 - Forbidden": ("answered 403", "certificate"),
    "Status code: 503 for http://a/": ("answered 503", "makecache"),
    "Curl error (58): Problem with the local SSL certificate": ("its client", "sslclientkey"),
    "Curl error (77): Problem with the SSL CA cert (path?)": ("it trusts", "ca-certificates"),
    "Curl error (60): SSL peer certificate was not OK": ("certificate is refused", "clock"),
    "Curl error (28): Timeout was reached": ("too slow", "makecache"),
    "Curl error (37): Couldn't read a file:// file": ("cannot be read", "directory"),
    "Curl error (7): Couldn't connect to server": ("no connections", "makecache"),
    "something else": ("cannot be read", "makecache"),
}


@pytest.mark.parametrize("said", CURES)
def test_a_cause_has_its_words_and_its_cure(said: str) -> None:
    error, (public, cure) = UpstreamUnavailable("m", "resolving x", said), CURES[said]
    assert public in error.public
    assert "http" not in error.public
    assert cure in error.hint
    assert len(error.hint) < 140


@pytest.mark.parametrize(
    ("code", "doing", "said", "cure"),
    [
        (139, "resolving a, @b", "SIGSEGV: the program itself crashed", "in place of the group"),
        (139, "resolving a", "SIGSEGV: the program itself crashed", "updates the program"),
        (153, "resolving a", "SIGXFSZ: it met a limit", "ulimit"),
        (1, "resolving @b", "exit code 1: no output", "disk and rights"),
    ],
)
def test_a_crash_and_a_limit_are_told_with_what_to_do(
    code: int, doing: str, said: str, cure: str
) -> None:
    error = CommandFailed("m", doing, [], code, "")
    assert said in str(error)
    assert cure in error.hint
    assert len(error.hint) < 140


# --- hidden -----------------------------------------------------------------------------------

FILTERED = "All matches were filtered out by {} filtering for argument: {}\n"
EXCLUDED = "Argument 'tree' matches only excluded packages.\n"
LISTED = (Row("tree", "x86_64", "1.8-1", "base", 0),)


def test_what_is_filtered_out_is_unknown_and_hidden() -> None:
    output = FILTERED.format("exclude", "tree") + FILTERED.format("modular", "nodejs") + EXCLUDED
    assert unknown_specs(output, ["nodejs", "tree", "x"]) == ("nodejs", "tree")
    assert hidden(FILTERED.format("exclude", "tree")) == {"tree": "exclude"}
    assert hidden(FILTERED.format("modular", "tree")) == {"tree": "modular"}
    assert hidden(EXCLUDED) == {"tree": "either"}
    assert hidden("No match for argument: tree\n") == {}


@pytest.mark.parametrize(
    ("manager", "told", "rows", "why"),
    [
        ("dnf4", "exclude", LISTED, "exclude"),
        ("dnf4", "exclude", (), "exclude"),  # there was no list to be had
        ("dnf4", "exclude", (Row("nmap", "x86_64", "1-1", "base", 0),), ""),  # the pool's alone
        ("dnf4", "modular", LISTED, "modular"),
        ("dnf4", "", LISTED, ""),
        ("dnf5", "either", LISTED, "exclude"),
        ("dnf5", "either", (), "modular"),
        ("yum3", "", LISTED, "exclude"),
        ("yum3", "", (), ""),
    ],
)
def test_what_hides_a_package_is_told_by_all_that_upstream_has(
    manager: str, told: str, rows: tuple[Row, ...], why: str
) -> None:
    given = {"tree": told} if told else {}
    found = grouping.hidden(["tree"], given, rows, manager)  # type: ignore[arg-type]
    assert found == ({"tree": why} if why else {})


@pytest.mark.parametrize("why", ["exclude", "modular"])
def test_a_hidden_package_is_named_as_that(why: str) -> None:
    error = UnknownPackages("m", ["tree"], places={"tree": "/0"}, hidden={"tree": why})
    assert "No match" not in str(error)
    assert "tree at /0 (entry 1): " in str(error)
    assert "upstream has it" in error.public
    assert {"exclude": "whoever runs the mirror", "modular": "@nodejs:20"}[why] in error.hint
    mixed = UnknownPackages("m", ["tree", "nope"], hidden={"tree": why})
    assert mixed.hint == mixed.advice


def test_something_needed_that_is_excluded_is_named_as_that() -> None:
    told = "package libx-1-1.x86_64 is filtered out by exclude filtering"
    assert "excluded" in Unresolvable("m", ["tree"], told).hint
    assert "conflict" in Unresolvable("m", ["tree"], "nothing provides x").hint
