"""`gm-analytics status`: whether manifest, live publication and what HTTP serves agree.

It only reads, takes no lock, and says what differs, a line a finding.
"""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Protocol
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from gm_analytics import settings
from gm_analytics.errors import GitHubError, GmError, ManifestError, Untrusted
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.checking import MAX_REPOMD
from gm_analytics.mirror.history import Held, History
from gm_analytics.mirror.ownership import Owner
from gm_analytics.mirror.session import Session
from gm_analytics.mirror.survey import Survey
from gm_analytics.operations import served
from gm_analytics.operations.by_hand import Operations
from gm_analytics.operations.served import Finding, Kept, Verdict
from gm_analytics.remote import fetch
from gm_analytics.settings import Settings
from gm_analytics.updates.ports import Forge

TIMEOUT = served.TIMEOUT
"""Seconds without an answer."""
AT_ONCE = 8
"""Requests."""
CHUNK = 64 * 1024
MOST = 20
"""Findings of one kind, before the rest is counted."""
_REPO = "{http://linux.duke.edu/metadata/repo}"


class Parts(Protocol):
    """What is compared with what."""

    @property
    def settings(self) -> Settings:
        """The configuration."""
        ...

    @property
    def operations(self) -> Operations:
        """What reads mirrors."""
        ...

    @property
    def github(self) -> Forge:
        """Where the manifest is."""
        ...


def run(parts: Parts, names: Iterable[str], *, checksums: bool) -> Iterator[Finding]:
    """Compare each mirror, going on after what differs."""
    for name in names:
        try:
            yield from _mirror(parts, parts.settings.mirror(name), checksums=checksums)
        except GmError as error:
            yield Finding(f"mirror {name}", "unknown", str(error))


def _mirror(parts: Parts, mirror: settings.Mirror, *, checksums: bool) -> list[Finding]:
    """Compare one; again if something was published in the middle of it."""
    while True:
        with parts.operations.mirrors.read(mirror.name) as session:
            look = session.host.look()
            past = session.publications.history()
            other = parts.operations.mirrors.other_service(session)
            live = past.live
            if live is None:
                return [Finding(f"mirror {mirror.name}", "differs", "nothing is published")]
            past, kept, wrong = _believed(session, past, look)
        said = f"publication {live.number}, {live.what}, is live"
        found = [
            Finding(f"mirror {mirror.name}", "same", said),
            *([_other(mirror, other)] if other else ()),
            *_manifests(parts, mirror, past),
            *(_web(mirror, look.repomd, kept, checksums=checksums) if kept else ()),
            *wrong,
        ]
        if all(finding.verdict != "differs" for finding in found):
            return found
        with parts.operations.mirrors.read(mirror.name) as session:
            if session.host.look().live == look.live:
                return found


def _other(mirror: settings.Mirror, owner: Owner) -> Finding:
    said = f"another service publishes there: {owner.published}"
    return Finding(f"mirror {mirror.name} service", "differs", said)


def _believed(
    session: Session, past: History, look: Survey
) -> tuple[History, Kept | None, list[Finding]]:
    """Read what is live, by its signature where there is a key; say what is wrong with that."""
    try:
        vouched = session.publications.vouch(look.live, look.repomd)
        packages = vouched.packages if vouched else session.publications.packages(look.live)
    except Untrusted as error:
        return past, None, [Finding(f"mirror {error.mirror} signatures", "differs", str(error))]
    followed, believed = satisfied_by(past), session.publications
    held = tuple(
        replace(one, manifests=signed)
        if one in followed and (signed := believed.satisfied(one.directory)) is not None
        else one
        for one in past.publications
    )
    made = past.live is not None and past.live.publication is not None
    kept = Kept(packages, vouched.statement if vouched else None, made=made)
    return replace(past, publications=held), kept, []


# --- manifest -------------------------------------------------------------------------------


def _manifests(parts: Parts, mirror: settings.Mirror, past: History) -> Iterator[Finding]:
    """Compare the followed branches' manifests with what the live set is known to satisfy."""
    branch = parts.settings.webhook.branch
    for repository in parts.settings.webhook.repositories:
        if mirror in parts.settings.mirrors_of(repository):
            subject = f"manifest {repository} at {branch or 'its default branch'}"
            try:
                text = parts.github.manifest(repository, branch or "HEAD")
                verdict, said = _manifest(parts, mirror, Manifest.parse(text), past)
            except GmError as error:
                verdict, said = "differs" if _is_its_own(error) else "unknown", str(error)
            yield Finding(subject, verdict, said)


def _manifest(
    parts: Parts, mirror: settings.Mirror, manifest: Manifest, past: History
) -> tuple[Verdict, str]:
    if not manifest.specs and not parts.settings.publishes_on_merge:
        return "same", "it names no packages"
    digest = parts.operations.digest(manifest, mirror.name)
    found = next((held for held in satisfied_by(past) if digest in held.manifests), None)
    if found is None:
        return "differs", "no publication that is live was made from it"
    return "same", f"live since publication {found.number}"


def _is_its_own(error: GmError) -> bool:
    """Tell a manifest that is missing or wrong from one that could not be read."""
    missing = isinstance(error, GitHubError) and error.status == HTTPStatus.NOT_FOUND
    return missing or isinstance(error, ManifestError)


def satisfied_by(past: History) -> list[Held]:
    """Give the live publication, and those before it that it only adds to."""
    found: list[Held] = []
    for held in reversed(past.publications):
        found.append(held)
        if held.publication is None or held.publication.exact:
            break
    return found


# --- web ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _File:
    """A file as the web server should serve it; what is None does not matter."""

    path: str
    digest: str | None = None
    algorithm: str = "sha256"
    size: int | None = None


def _web(
    mirror: settings.Mirror, repomd: str, kept: Kept, *, checksums: bool
) -> Iterator[Finding]:
    """Compare repomd.xml, the metadata that it names, and the RPMs."""
    subject = f"mirror {mirror.name} web"
    with requests.Session() as session:
        session.headers.update({"Cache-Control": "no-cache", "Accept-Encoding": "identity"})
        session.auth = fetch.NOBODY
        session.mount("http", HTTPAdapter(pool_maxsize=AT_ONCE))
        wrong = _look(session, mirror.base_url, _File("repodata/repomd.xml", repomd))
        if wrong is not None:
            yield replace(wrong, subject=subject)
            return
        content = served.read(session, f"{mirror.base_url}repodata/repomd.xml", MAX_REPOMD)
        named = _named(content)
        said = f"repomd.xml and the {len(named)} files that it names are the live publication's"
        yield from _all(session, mirror, subject, named, said)
        yield from served.compare(session, mirror, content, kept)
        rpms = [_File(p.file, p.sha256 if checksums else None, size=p.size) for p in kept.packages]
        how = "checksum" if checksums else "size"
        said = f"each of the {len(rpms):,} RPMs is served with its {how}"
        yield from _all(session, mirror, subject, rpms, said)


def _all(
    session: requests.Session,
    mirror: settings.Mirror,
    subject: str,
    files: list[_File],
    said: str,
) -> Iterator[Finding]:
    """Look at files, a few at once; say what is wrong with each, or that none differs."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        looked = threads.map(lambda file: _look(session, mirror.base_url, file), files)
        wrong = [replace(finding, subject=subject) for finding in looked if finding]
    yield from wrong[:MOST] or [Finding(subject, "same", said)]
    if len(wrong) > MOST:
        yield Finding(subject, wrong[-1].verdict, f"and {len(wrong) - MOST:,} files more")


def _look(session: requests.Session, base: str, file: _File) -> Finding | None:
    """Say what is wrong with a file; without a digest only its head is asked for."""
    method = "GET" if file.digest else "HEAD"
    url = base + quote(file.path)
    try:
        with session.request(
            method, url, timeout=TIMEOUT, stream=True, allow_redirects=True
        ) as reply:
            if not reply.ok:
                return Finding("", "differs", f"{file.path}: {reply.status_code} {reply.reason}")
            size = int(reply.headers.get("Content-Length", -1))
            if file.size is not None and size not in {-1, file.size}:
                said = f"{file.path}: {size:,} bytes; expected {file.size:,}"
                return Finding("", "differs", said)
            if file.digest and _digest(reply, file.algorithm) != file.digest:
                return Finding("", "differs", f"{file.path}: not the bytes that were published")
    except (requests.RequestException, HTTPError) as error:
        return Finding("", "unknown", f"{file.path}: {type(error).__name__}: {error}")
    return None


def _digest(reply: requests.Response, algorithm: str) -> str:
    found = hashlib.new(algorithm)
    for chunk in reply.raw.stream(CHUNK, decode_content=False):
        found.update(chunk)
    return found.hexdigest()


def _named(repomd: bytes) -> list[_File]:
    """Give the files that a repomd.xml names, with their checksums."""
    found = []
    for data in ET.fromstring(repomd).iter(f"{_REPO}data"):  # noqa: S314  # the mirror's own
        location, checksum = data.find(f"{_REPO}location"), data.find(f"{_REPO}checksum")
        if location is not None and checksum is not None:
            kind = checksum.get("type", "sha256")
            algorithm = "sha1" if kind == "sha" else kind
            found.append(_File(location.get("href", ""), checksum.text, algorithm))
    return found
