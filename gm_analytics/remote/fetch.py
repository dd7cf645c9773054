"""HTTP as the service speaks it to GitHub and to web servers of mirrors: bounded in time and size.

What requests does by itself is left off where it would send credentials astray: it reads
`~/.netrc`, and it follows redirects. Proxies and certificate authorities of the environment count:
who sets them starts the service. requests' own timeout is between two bytes
(https://requests.readthedocs.io/en/latest/user/advanced/#timeouts).
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import parse_url

from gm_analytics import hidden

CHUNK = 64 * 1024
DIRECTLY = "none"
"""In place of a proxy's address: none is asked, whatever the environment says."""
_NO_PROXY = {"http": ""}  # what is asked without TLS is on loopback: a proxy would read the token
_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """What may be sent the same credentials."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin | None:
        """Read it as requests will; None of what is not an address."""
        try:
            parts = parse_url(url)
        except LocationParseError:
            return None
        if parts.scheme not in _PORTS or not parts.host:
            return None
        return cls(parts.scheme, parts.host.lower(), parts.port or _PORTS[parts.scheme])

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


class Token(AuthBase):
    """Sends this token, or nothing: either way requests does not look into `~/.netrc`."""

    def __init__(self, token: str | None = None) -> None:
        self._token = token
        hidden.hide(token)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and self._token == other._token

    def __hash__(self) -> int:
        return hash(self._token)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Give the request with its header."""
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


NOBODY = Token()
"""Sends no credentials."""


@dataclass(frozen=True)
class Limits:
    """How much of an answer is waited for, and read."""

    pause: float
    """Seconds without a byte."""
    whole: float
    """Seconds for all of it."""
    most: int
    """Bytes of its body; what is longer is cut at most `CHUNK` later."""


@dataclass(frozen=True)
class Reply:
    """An answer that was read."""

    url: str
    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    whole: bool
    """Whether the body is all that was sent."""
    following: str
    """The address of the next page, if it names one."""

    @property
    def location(self) -> str:
        """Where it redirects to, empty if it does not."""
        location = self.headers.get("location", "")
        return _join(self.url, location) if 300 <= self.status < 400 and location else ""  # noqa: PLR2004


def _join(url: str, reference: str) -> str:
    """Give an address as seen from another; what is none as it is."""
    try:
        return urljoin(url, reference)
    except ValueError:
        return reference


@dataclass(frozen=True)
class Way:
    """By which proxy servers are asked, and whose certificates are believed."""

    proxy: str | None = None
    """An address, or `none`; without one the environment says (`HTTPS_PROXY`, `NO_PROXY`)."""
    ca_file: Path | None = None
    """Certificates in place of the usual authorities'."""

    @property
    def options(self) -> dict[str, Any]:
        """Give what requests is told; what it finds in the environment it adds."""
        found: dict[str, Any] = {"verify": str(self.ca_file)} if self.ca_file else {}
        if self.proxy:
            proxy = "" if self.proxy == DIRECTLY else self.proxy
            found["proxies"] = dict.fromkeys(_PORTS, proxy)
        return found

    def through(self, url: str) -> str:
        """Name the proxy of an address for a sentence, without its password; nothing if none."""
        proxy = self.proxy or select_proxy(url, get_environ_proxies(url))
        if not proxy or proxy == DIRECTLY:
            return ""
        parts = urlsplit(proxy)
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        return f", through the proxy {shown}" + ("" if self.proxy else " of the environment")


THE_ENVIRONMENTS = Way()


def fetch(
    method: str,
    url: str,
    limits: Limits,
    auth: Token,
    way: Way = THE_ENVIRONMENTS,
    **options: Any,
) -> Reply:
    """Ask once; redirects are the caller's to follow.

    Raises:
        requests.RequestException: there is no answer, or not in time.

    """
    options["proxies"] = way.options.get("proxies", {}) | _NO_PROXY
    with Asking(1, way) as asking, asking.ask(method, url, limits, auth=auth, **options) as reply:
        return _read(reply, limits)


class Asking:
    """Asks servers, from several threads at once; each answer has its own deadline."""

    def __init__(self, at_once: int = 1, way: Way = THE_ENVIRONMENTS) -> None:
        self._way = way
        self._session = _Session()
        self._adapter = _Adapter(at_once)
        for scheme in _PORTS:
            self._session.mount(f"{scheme}://", self._adapter)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._session.close()

    @contextmanager
    def ask(
        self, method: str, url: str, limits: Limits, *, auth: Token, **options: Any
    ) -> Iterator[requests.Response]:
        """Give an answer whose body is yet to be read, in this thread; no redirect is followed.

        Raises:
            requests.RequestException: there is no answer, or not in time.

        """
        self._adapter.now.ends = time.monotonic() + limits.whole
        with self._session.request(
            method,
            url,
            auth=auth,
            timeout=limits.pause,
            stream=True,
            allow_redirects=False,
            **(self._way.options | options),
        ) as response:
            yield response


def _read(response: requests.Response, limits: Limits) -> Reply:
    body, whole = bytearray(), True
    try:
        for chunk in response.iter_content(CHUNK):
            body += chunk
            if len(body) > limits.most:
                whole = False
                break
        following = response.links.get("next", {}).get("url", "")
    except HTTPError as error:  # requests wraps most of them
        raise requests.ConnectionError(str(error)) from error
    return Reply(
        url=response.url,
        status=response.status_code,
        reason=str(response.reason),
        headers=response.headers,
        body=bytes(body),
        whole=whole,
        following=_join(response.url, following) if following else "",
    )


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Tell of none: requests would read the whole body first, even if it is not to follow."""


class _Adapter(HTTPAdapter):
    """Ends each read from the network when the time for the whole answer is over."""

    def __init__(self, at_once: int) -> None:
        super().__init__(pool_maxsize=at_once)
        self.now = threading.local()
        """Its `ends` is when what this thread asked for must be there."""

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        """Give the pool of a host, which makes connections whose answers have an end."""
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        if issubclass(pool.ConnectionCls, _Ending):  # made for an earlier request
            return pool
        now = self.now

        class Response(HTTPResponse):
            def __init__(self, sock: Any, *rest: Any, **options: Any) -> None:
                super().__init__(sock, *rest, **options)
                self.fp = io.BufferedReader(_Timed(self.fp, sock, now.ends))

        members = {"response_class": Response}
        pool.ConnectionCls = type("_", (_Ending, pool.ConnectionCls), members)
        return pool


class _Ending:
    """Marks connections whose answers have an end."""


class _Timed(io.RawIOBase):
    """Reads what a server sends, for so long."""

    def __init__(self, file: Any, sock: Any, ends: float) -> None:
        self._raw = file.detach()
        self._sock = sock
        self._ends = ends

    def readable(self) -> bool:
        """As every file that is read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there, within what is left of the time."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the whole answer took too long")
        self._sock.settimeout(min(left, self._sock.gettimeout() or left))
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        """Let go of the connection."""
        self._raw.close()
        super().close()
