"""What HTTP serves of a mirror's metadata, compared with the list of packages that was signed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import requests
from urllib3.exceptions import HTTPError

from gm_analytics import settings
from gm_analytics.errors import MetadataForged
from gm_analytics.mirror import seal
from gm_analytics.mirror.checking import check
from gm_analytics.mirror.signing import Key
from gm_analytics.rpm.package import Package

TIMEOUT = 10
"""Seconds without an answer."""
CHUNK = 64 * 1024
MAX_SIGNATURE = 64 * 1024

Verdict = Literal["same", "differs", "unknown"]


@dataclass(frozen=True)
class Finding:
    """What was compared, and the fact; `unknown` is what could not be compared."""

    subject: str
    verdict: Verdict
    said: str


@dataclass(frozen=True)
class Kept:
    """What a mirror keeps of the live publication, as far as it may be believed."""

    packages: tuple[Package, ...]
    statement: seal.Statement | None
    """What was signed; None without a key, and of what was adopted."""
    made: bool = True
    """Whether an update made the metadata: those of a repository taken over are as they were."""


def compare(
    session: requests.Session, mirror: settings.Mirror, repomd: bytes, kept: Kept
) -> Iterator[Finding]:
    """Compare the packages and the signature that clients see with what was published."""
    web, signatures = f"mirror {mirror.name} web", f"mirror {mirror.name} signatures"
    if mirror.signing_home:
        yield _signature(session, mirror, signatures, repomd, kept)
    if kept.made:
        yield _packages(session, mirror, web, repomd, kept)


def _packages(
    session: requests.Session, mirror: settings.Mirror, subject: str, repomd: bytes, kept: Kept
) -> Finding:
    def fetch(href: str, most: int) -> bytes:
        return read(session, mirror.base_url + href, most)

    groups = kept.statement.files.get(seal.GROUPS, "") if kept.statement else None
    try:
        check(mirror.name, repomd, fetch, kept.packages, groups=groups)
    except MetadataForged as error:
        said = f"{error.file}: found {error.found}; expected {error.expected}"
        return Finding(subject, "differs", said)
    except (requests.RequestException, HTTPError) as error:
        return Finding(subject, "unknown", f"{type(error).__name__}: {error}")
    how = "the signed list" if kept.statement else "packages.txt"
    return Finding(subject, "same", f"its {len(kept.packages):,} packages are those of {how}")


def _signature(
    session: requests.Session, mirror: settings.Mirror, subject: str, repomd: bytes, kept: Kept
) -> Finding:
    assert mirror.signing_home is not None  # noqa: S101  # as the caller has looked
    if kept.statement is None:
        return Finding(subject, "differs", "what is live is not signed; the next update signs it")
    key = Key(mirror.signing_home)
    url = f"{mirror.base_url}repodata/repomd.xml.asc"
    try:
        signature = read(session, url, MAX_SIGNATURE)
    except (requests.RequestException, HTTPError) as error:
        return Finding(subject, "differs", f"repomd.xml.asc: {type(error).__name__}: {error}")
    if not key.has_signed(repomd, signature):
        said = f"repomd.xml as it is served is not signed by {key.fingerprint}"
        return Finding(subject, "differs", said)
    return Finding(subject, "same", f"repomd.xml and packages.txt are signed by {key.fingerprint}")


def read(session: requests.Session, url: str, most: int) -> bytes:
    """Read a file over HTTP, and of one that is longer than `most` bytes a byte more.

    Raises:
        requests.RequestException, HTTPError: it cannot be read.

    """
    with session.get(url, timeout=TIMEOUT, stream=True) as reply:
        reply.raise_for_status()
        content = bytearray()
        for piece in reply.raw.stream(CHUNK, decode_content=False):
            content += piece
            if len(content) > most:
                break
        return bytes(content[: most + 1])
