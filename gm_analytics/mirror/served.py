"""What HTTP serves of a mirror, compared with what was published."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from gm_analytics import settings
from gm_analytics.errors import MetadataForged, NotVisible
from gm_analytics.mirror.checking import MAX_REPOMD, check
from gm_analytics.mirror.signing import Key
from gm_analytics.remote import fetch
from gm_analytics.rpm.package import Package

VISIBLE_ATTEMPTS, VISIBLE_PAUSE = 5, 0.2
TIMEOUT = 10
"""Seconds without an answer."""
AT_ONCE = 8
"""Requests of one `Served`, which is as many as threads may ask."""
REPOMD = "repodata/repomd.xml"
SIGNATURE = f"{REPOMD}.asc"
_MAX_SIGNATURE = 64 * 1024
_CHUNK = 64 * 1024
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


class Served:
    """A mirror's web side; `below` is where it is looked at, such as `previews/42/`.

    Every method may raise `Differs`.
    """

    def __init__(self, mirror: settings.Mirror, below: str = "") -> None:
        self._mirror = mirror
        self._base = f"{mirror.base_url}{below}"
        self._session = requests.Session()
        self._session.headers.update(_HEADERS)
        self._session.auth = fetch.NOBODY
        self._session.mount("http", HTTPAdapter(pool_maxsize=AT_ONCE))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._session.close()

    def repomd(self, sha256: str) -> bytes:
        """Give repomd.xml if it is the one of this SHA-256."""
        content = self._read(REPOMD, MAX_REPOMD)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Differs(REPOMD, "not the bytes that were published")
        return content

    def signed_by(self, key: Key, repomd: bytes) -> None:
        """See that the signature beside repomd.xml is the key's."""
        try:
            signature = self._read(SIGNATURE, _MAX_SIGNATURE)
        except Differs as error:  # without it clients would take nothing, whatever the reason
            said = f"no signature of the mirror's key: {error.said}"
            raise Differs(SIGNATURE, said) from error
        if not key.has_signed(repomd, signature):
            said = f"as it is served, it is not signed by {key.fingerprint}"
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
        with self._asked("GET" if file.digest else "HEAD", file.path) as reply:
            size = int(reply.headers.get("Content-Length", -1))
            if file.size is not None and size not in {-1, file.size}:
                raise Differs(file.path, f"{size:,} bytes; expected {file.size:,}")
            if file.digest and _digest(reply, file.algorithm) != file.digest:
                raise Differs(file.path, "not the bytes that were published")

    def _read(self, path: str, most: int) -> bytes:
        """Read a file, and of one that is longer than `most` bytes a byte more."""
        with self._asked("GET", path) as reply:
            content = bytearray()
            for piece in reply.raw.stream(_CHUNK, decode_content=False):
                content += piece
                if len(content) > most:
                    break
            return bytes(content[: most + 1])

    @contextmanager
    def _asked(self, method: str, path: str) -> Iterator[requests.Response]:
        url = self._base + quote(path)
        try:
            with self._session.request(
                method, url, timeout=TIMEOUT, stream=True, allow_redirects=True
            ) as reply:
                if not reply.ok:
                    raise Differs(path, f"{reply.status_code} {reply.reason}")
                yield reply
        except (requests.RequestException, HTTPError) as error:
            raise Differs(path, f"{type(error).__name__}: {error}", unknown=True) from error


def _digest(reply: requests.Response, algorithm: str) -> str:
    found = hashlib.new(algorithm)
    for chunk in reply.raw.stream(_CHUNK, decode_content=False):
        found.update(chunk)
    return found.hexdigest()


def wait_until_visible(mirror: settings.Mirror, repomd: str, below: str = "") -> None:
    """Read repomd.xml as a client does until its SHA-256 is `repomd`, and check its signature.

    `below` is where it lies below the mirror's address, such as `previews/42/`.

    Raises:
        NotVisible: the web server goes on serving something else, or does not answer.

    """
    said = ""
    with Served(mirror, below) as web:
        for attempt in range(VISIBLE_ATTEMPTS):
            time.sleep(VISIBLE_PAUSE * attempt)
            try:
                content = web.repomd(repomd)
                if mirror.signing_home:
                    web.signed_by(Key(mirror.signing_home), content)
            except Differs as error:
                said = error.said
            else:
                return
    raise NotVisible(mirror.name, f"{mirror.base_url}{below}{REPOMD}", said)
