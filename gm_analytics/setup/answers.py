"""What a person answers when an installation is set up, checked before anything is made of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gm_analytics.rpm import grammar
from gm_analytics.rpm.grammar import Grammar

REPOSITORY = Grammar(
    "owner/name as GitHub has it", "[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9_.-]+", 140
)
HOST = Grammar("a host's name or address", "[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", 100)
URL = Grammar(
    "an http or https address", r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?", 300
)
RELEASE = Grammar("a release such as 9", grammar.WORD.ere, grammar.WORD.longest)
ACCOUNT = Grammar("an account's name", "[a-z_][a-z0-9_-]*", 32)
FINGERPRINT = Grammar("a fingerprint such as SHA256:…", "SHA256:[A-Za-z0-9+/]{43}=?", 60)
SOURCE = Grammar("an address, a network or a pattern", r"[A-Za-z0-9.:/*!_-]+", 100)
PATH = grammar.ABSOLUTE_PATH

_ENTERPRISE_LINUX = re.compile(r"([89]|[1-9][0-9])(\.[0-9]+)?")


@dataclass(frozen=True)
class Answers:
    """All that a configuration needs to know."""

    repositories: tuple[str, ...]
    mirror: str
    """The mirror's name, and the host to connect to."""
    url: str
    """Where its clients reach it."""
    release: str
    """What packages are solved for: `releasever`."""
    port: int = 22
    user: str = "mirror"
    root: str = "/var/repo"
    reposdir: str = "/etc/gm-mirror/yum.repos.d"
    publish: str = "on_pull_request"
    public_url: str = ""
    """How GitHub reaches the service; empty if that is not known yet."""

    @property
    def module_platform_id(self) -> str:
        """What modules are chosen by, which only Enterprise Linux has."""
        found = _ENTERPRISE_LINUX.fullmatch(self.release)
        return f"platform:el{found[1]}" if found else ""


def default_url(mirror: str) -> str:
    """Give the address that clients have of a mirror which `mirror-setup` prepared."""
    return f"http://{mirror}/repo/"


def checked(form: Grammar, given: str) -> str:
    """Give an answer that has the form.

    Raises:
        ValueError: it has not; the message says what was expected.

    """
    text = given.strip()
    if not form.fits(text):
        raise ValueError(f"found {text!r}; expected {form.what}")
    return text
