"""What HTTP serves of a mirror, compared with what was published."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import quote

import requests
from urllib3.exceptions import HTTPError

from gm_analytics import settings
from gm_analytics.errors import MetadataForged, NotVisible
from gm_analytics.mirror.addresses import LINKS
from gm_analytics.mirror.checking import MAX_FILE, MAX_REPOMD, check
from gm_analytics.mirror.signing import Key
from gm_analytics.remote import fetch
from gm_analytics.remote.basic import Basic
from gm_analytics.rpm.grammar import printable
from gm_analytics.rpm.package import Package

VISIBLE_ATTEMPTS, VISIBLE_PAUSE = 5, 0.2
TIMEOUT = 10
"""Seconds without a byte."""
WHOLE = 3 * TIMEOUT
"""Seconds for a whole answer, or for all attempts to see what was published."""
SLOWEST = 64 * 1024
"""Bytes a second; an answer may take so much longer than `WHOLE` as it is large."""
AT_ONCE = 8
"""Requests of one `Served`, which is as many as threads may ask."""
REPOMD = "repodata/repomd.xml"
SIGNATURE = f"{REPOMD}.asc"
_MAX_SIGNATURE = 64 * 1024
_TRIED = 3
"""Packages that are asked for before it is said that none is served."""
_MAX_WORDS = 300
"""Characters of what a library says about an answer; it may repeat what a server sent."""
_OF_CACHES = ("Age", "Via", "X-Cache")
"""Headers by which caches say that they answered."""
# Past caches, and as it lies on the disk.
_HEADERS = {"Cache-Control": "no-cache", "Accept-Encoding": "identity"}


class Differs(Exception):
    """A file is not served as it was published; `unknown` if that cannot be told."""

    def __init__(self, path: str, said: str, *, unknown: bool = False) -> None:
        super().__init__(f"{path}: {said}")
        self.said, self.unknown = said, unknown


@dataclass(frozen=True)
class File:
    """A file as it should be served; what is None does not matter."""

    path: str
    digest: str | None = None
    algorithm: str = "sha256"
    size: int | None = None
    most: int = MAX_FILE
    """Bytes that are read if the size does not matter."""

    @property
    def limit(self) -> int:
        """Bytes after which reading ends."""
        return self.most if self.size is None else self.size


class Served:
    """A mirror's web side; `below` is where it is looked at, such as `previews/42/`.

    Every method may raise `Differs`.
    """

    def __init__(self, mirror: settings.Mirror, below: str = "") -> None:
        self._mirror = mirror
        self._base = f"{mirror.base_url}{below}"
        self._way = fetch.Way(mirror.proxy, mirror.ca_file)
        self._asking = fetch.Asking(AT_ONCE, self._way)
        login = mirror.http
        self._auth = Basic(login.username, login.password) if login else fetch.NOBODY

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._asking.__exit__(kind, error, tb)

    @property
    def through(self) -> str:
        """Name the proxy that is asked, for a sentence; nothing without one."""
        return self._way.through(self._base)

    def repomd(self, sha256: str) -> bytes:
        """Give repomd.xml if it is the one of this SHA-256."""
        with self._asked("GET", REPOMD, MAX_REPOMD) as reply:
            content, cache = b"".join(_pieces(reply, MAX_REPOMD)), _cache(reply)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Differs(REPOMD, f"not the bytes that were published{self.through}{cache}")
        return content

    def digest(self) -> str:
        """Give the SHA-256 of repomd.xml, whatever it is."""
        return hashlib.sha256(self._read(REPOMD, MAX_REPOMD)).hexdigest()

    def holds(self, path: str, content: bytes) -> None:
        """See that a small file is served as it lies there."""
        if self._read(path, len(content)) != content:
            raise Differs(path, "it answers with something else")

    def signed_by(self, key: Key, repomd: bytes) -> None:
        """See that the signature beside repomd.xml is the key's."""
        try:
            signature = self._read(SIGNATURE, _MAX_SIGNATURE)
        except Differs as error:  # without it clients would take nothing, whatever the reason
            said = f"no signature of the mirror's key: {error.said}"
            raise Differs(SIGNATURE, said) from error
        if not key.has_signed(repomd, signature):
            said = f"as it is served, it is not signed by {key.names}"
            raise Differs(REPOMD, said)

    def names(self, repomd: bytes, packages: tuple[Package, ...], groups: str | None) -> None:
        """See that the metadata that repomd.xml names is of exactly these packages.

        `groups` is as in `checking.check`.
        """
        try:
            check(self._mirror.name, repomd, self._read, packages, groups=groups)
        except MetadataForged as error:
            raise Differs(error.file, f"found {error.found}; expected {error.expected}") from error

    def file(self, file: File) -> None:
        """See that a file is served; without a digest only its head is asked for."""
        method, most = ("GET", file.limit) if file.digest else ("HEAD", 0)
        with self._asked(method, file.path, most) as reply:
            size = _length(file.path, reply)
            if None not in {file.size, size} and size != file.size:
                raise Differs(file.path, f"{size:,} bytes; expected {file.size:,}")
            if file.digest and _digest(reply, file.algorithm, most) != file.digest:
                raise Differs(file.path, "not the bytes that were published")

    def _read(self, path: str, most: int) -> bytes:
        """Read a file, and of one that is longer than `most` bytes a byte more."""
        with self._asked("GET", path, most) as reply:
            return b"".join(_pieces(reply, most))

    @contextmanager
    def _asked(self, method: str, path: str, most: int) -> Iterator[requests.Response]:
        url = self._base + quote(path)
        limits = fetch.Limits(TIMEOUT, WHOLE + most / SLOWEST, most)
        try:
            with self._asking.ask(method, url, limits, auth=self._auth, headers=_HEADERS) as reply:
                if reply.status_code != HTTPStatus.OK:
                    raise Differs(path, _status(reply.status_code))
                yield reply
        except (OSError, HTTPError) as error:  # among them all of requests
            raise Differs(path, _why(error)[:_MAX_WORDS], unknown=True) from error


def _why(error: Exception) -> str:
    """Give the system's own words for why there is no answer, from below those of libraries."""
    inner: BaseException = error
    while below := inner.__cause__ or inner.__context__:
        inner = below
    said = inner.strerror if isinstance(inner, OSError) else ""
    return said or f"{type(error).__name__}: {error}"


def _status(code: int) -> str:
    """Name a status in our own words: a server may send any."""
    known = code in {one.value for one in HTTPStatus}
    said = f"{code} {HTTPStatus(code).phrase}" if known else str(code)
    redirect = 300 <= code < 400  # noqa: PLR2004
    return f"{said}: it redirects, which is not followed" if redirect else said


def _cache(reply: requests.Response) -> str:
    """Say which cache answered, if one says so (RFC 9110, 9111)."""
    said = [f"{name}: {reply.headers[name][:80]}" for name in _OF_CACHES if name in reply.headers]
    return f"; a cache answered ({printable('; '.join(said))})" if said else ""


def _length(path: str, reply: requests.Response) -> int | None:
    """Give the size that an answer names."""
    said = reply.headers.get("Content-Length")
    if said is None:
        return None
    if not re.fullmatch(r"[0-9]{1,15}", said):
        raise Differs(path, f"Content-Length {said[:80]!a}; expected a number")
    return int(said)


def _pieces(reply: requests.Response, most: int) -> Iterator[bytes]:
    """Read a body as it was sent, and of one that is longer than `most` bytes a byte more."""
    left = most + 1
    for piece in reply.raw.stream(fetch.CHUNK, decode_content=False):
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return


def _digest(reply: requests.Response, algorithm: str, most: int) -> str:
    found = hashlib.new(algorithm)
    for piece in _pieces(reply, most):
        found.update(piece)
    return found.hexdigest()


def wait_until_visible(mirror: settings.Mirror, repomd: str, below: str = "") -> None:
    """Read repomd.xml as a client does until its SHA-256 is `repomd`, and check its signature.

    `below` is where it lies below the mirror's address, such as `previews/42/`.

    Raises:
        NotVisible: the web server goes on serving something else, or does not answer.

    """
    said, ends = "", time.monotonic() + WHOLE
    with Served(mirror, below) as web:
        for attempt in range(VISIBLE_ATTEMPTS):
            time.sleep(VISIBLE_PAUSE * attempt)
            if attempt and time.monotonic() > ends:
                break
            try:
                content = web.repomd(repomd)
                if mirror.key_home:
                    web.signed_by(Key(mirror.key_home), content)
            except Differs as error:
                said = error.said
            else:
                return
    raise NotVisible(mirror.name, f"{mirror.base_url}{below}{REPOMD}", said)


def refused(mirror: settings.Mirror, link: str, packages: Sequence[Package]) -> str:
    """Say why clients would not get packages through the link; empty if they get one of these."""
    said = "" if link else f"{' and '.join(LINKS)} in {mirror.root} are not the service's links"
    with Served(mirror) as web:
        for package in packages[:_TRIED] if link else ():  # of which the pool may lack some
            try:
                web.file(File(f"{link}/{package.file}", size=package.size))
            except Differs as error:
                said = str(error)
            else:
                return ""
    return said
