"""Who asks on the operators' listener, and whether they may: the outermost middleware there.

Somebody on this machine is let in as the configuration says; from elsewhere only with a token, a
password, or signed in by a proxy that is trusted. What changes something is taken from nobody
whose browser another site sent.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import cast
from urllib.parse import urlsplit

from gm_analytics.operator_access import Operators, Scope, Token, User
from gm_analytics.places import Listen, is_loopback
from gm_analytics.web.bodies import RawHeaders, Receive, values
from gm_analytics.web.door import Application, Send, inner, is_plain, protecting, reply
from gm_analytics.web.door import Scope as Request
from gm_analytics.web.small_bodies import LIMITS, given, kind, read
from gm_analytics.wording import clean

PERSON = "gm_analytics.person"
"""Where the ASGI scope keeps who asks, among its extensions."""
MAY_WRITE = "gm_analytics.may_write"
"""And whether they may ask for changes."""
HEADER = b"x-gm-request"
"""What a script must send with a change, unless it has a token: no other site's form can."""
API = "/api/"
PAUSE = 0.5
"""Seconds before who gave a wrong secret is told so."""
LOCAL = "an operator on this host"
_MOST_NAME = 100
_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")
"""Headers that a reverse proxy sets: then it is not whoever asks that is on this host."""


@dataclass(frozen=True)
class Caller:
    """Somebody who was let in."""

    name: str
    scope: Scope
    by_token: bool = False
    """Whether it said so itself: a browser adds a token to nothing."""


class Unknown(Exception):
    """Nobody that is known asks."""

    def __init__(self, *, wrong: bool = False) -> None:
        super().__init__()
        self.wrong = wrong
        """Whether a secret was given that is nobody's."""


@dataclass(frozen=True)
class Access:
    """Decides who asks. No I/O."""

    operators: Operators
    listen: Listen | None = None
    """Where the listener is; on loopback nobody comes from elsewhere."""

    def caller(self, peer: str, headers: RawHeaders) -> Caller:
        """Say who asks.

        Raises:
            Unknown: that cannot be told.

        """
        if given := values(headers, b"authorization"):
            return self._of(given)
        if signed_in := self._by_proxy(peer, headers):
            return signed_in
        if self._is_here(peer, headers) and self.operators.local != "none":
            return Caller(LOCAL, self.operators.local)
        raise Unknown

    @property
    def challenge(self) -> bytes:
        """Say how one says who one is; a browser asks its person where there are passwords."""
        ways = ['Basic realm="gm_analytics", charset="UTF-8"'] if self.operators.users else []
        return ", ".join([*ways, "Bearer"]).encode()

    def _of(self, given: list[bytes]) -> Caller:
        kind, _, said = given[0].partition(b" ")
        if len(given) == 1 and kind.lower() == b"bearer":
            if token := _match(self.operators.tokens, said.strip()):
                return Caller(token.name, token.scope, by_token=True)
        elif len(given) == 1 and kind.lower() == b"basic":
            name, secret = _basic(said.strip())
            named = [user for user in self.operators.users if user.name.encode() == name]
            if user := _match(named, secret):
                return Caller(user.name, user.scope)
        raise Unknown(wrong=True)

    def _by_proxy(self, peer: str, headers: RawHeaders) -> Caller | None:
        proxy, address = self.operators.proxy, _address(peer)
        if proxy is None or address is None:
            return None
        names = values(headers, proxy.header.lower().encode())
        if not any(address in network for network in proxy.addresses) or not names:
            return None
        name = clean(names[0].decode("latin-1").strip())
        if len(names) > 1 or not 0 < len(name) <= _MOST_NAME or not name.isprintable():
            raise Unknown(wrong=True)
        return Caller(name, proxy.scope)

    def _is_here(self, peer: str, headers: RawHeaders) -> bool:
        """Tell whether somebody on this machine asks, for this machine, and without a proxy."""
        if any(values(headers, name) for name in _FORWARDED):
            return False
        wide = self.listen is not None and not is_loopback(self.listen.host)
        if wide and not is_loopback(peer):
            return False
        return _is_for_loopback(headers)


def _match(known: Iterable[Token | User], secret: bytes) -> Token | User | None:
    """Find whose secret it is; how long that takes tells nothing."""
    digest, found = hashlib.sha256(secret).digest(), None
    for one in known:
        same = hmac.compare_digest(hashlib.sha256(one.secret.encode()).digest(), digest)
        found = one if same and one.secret else found
    return found


def _basic(said: bytes) -> tuple[bytes, bytes]:
    try:
        name, _, secret = base64.b64decode(said, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return b"", b""
    return name, secret


def _address(peer: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(peer)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _is_for_loopback(headers: RawHeaders) -> bool:
    """Tell whether loopback was asked for, and not a name that was made to lead there."""
    found = values(headers, b"host")
    if len(found) != 1:
        return False
    try:
        return is_loopback(urlsplit(f"//{found[0].decode('latin-1')}").hostname or "")
    except ValueError:
        return False


def is_ours(headers: RawHeaders) -> bool:
    """Tell whether a browser says that a page of this listener sent a request.

    No script can change what it says. Who says neither is no browser.
    Source: https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
    """
    if site := values(headers, b"sec-fetch-site"):
        return site == [b"same-origin"]
    origin, host = values(headers, b"origin"), values(headers, b"host")
    same = len(origin) == len(host) == 1
    return same and _place(origin[0]) == host[0].decode("latin-1").lower()


def _is_no_browser(headers: RawHeaders) -> bool:
    return not (values(headers, b"sec-fetch-site") or values(headers, b"origin"))


def _place(origin: bytes) -> str:
    try:
        return urlsplit(origin.decode("latin-1")).netloc.lower()
    except ValueError:
        return ""


class Guard:
    """Lets in who may, and says to the application who that is."""

    def __init__(self, window: Application, app: Application, access: Access) -> None:
        """Take what answers pages, and what answers the API's changes."""
        self._window, self._app, self._access = window, app, access

    async def __call__(self, scope: Request, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._window(scope, receive, send)
            return
        safely, headers = protecting(send), cast("RawHeaders", scope["headers"])
        peer = (scope.get("client") or ("",))[0]
        try:
            caller = self._access.caller(peer, headers)
        except Unknown as error:
            await self._refuse(safely, headers, wrong=error.wrong)
            return
        if scope["method"] in {"GET", "HEAD"}:
            await self._window(_known(scope, caller), receive, send)
        elif scope["method"] != "POST":
            await reply(safely, 405, {"reason": "GET and POST"}, (b"allow", b"GET, HEAD, POST"))
        elif reason := _why_not(scope, headers, caller):
            await reply(safely, 403, {"reason": reason})
        elif scope["path"].startswith(API) and is_plain(scope["path"]):
            await self._take(_known(scope, caller), receive, safely)
        else:
            await self._window(_known(scope, caller), receive, send)

    async def _refuse(self, send: Send, headers: RawHeaders, *, wrong: bool) -> None:
        operators = self._access.operators
        here_alone = not operators.let_in and operators.local != "none"
        if wrong:
            await asyncio.sleep(PAUSE)
        elif here_alone and not _is_for_loopback(headers):
            await reply(send, 403, {"reason": "ask for 127.0.0.1 or localhost"})
            return
        challenge = (b"www-authenticate", self._access.challenge)
        await reply(send, 401, {"reason": "say who you are: docs/security.md"}, challenge)

    async def _take(self, scope: Request, receive: Receive, send: Send) -> None:
        """Have a change of the API answered, with a body of a size."""
        headers = cast("RawHeaders", scope["headers"])
        if kind(headers) != b"application/json":
            await reply(send, 415, {"reason": "expected application/json"})
        elif (body := await read(receive)) is None:
            await reply(send, 413, {"reason": f"expected a body of {LIMITS}"})
        else:
            read_scope = inner(scope, body)
            read_scope["headers"].append((b"content-length", b"%d" % len(body)))
            await self._app(read_scope, given(body), send)


def _why_not(scope: Request, headers: RawHeaders, caller: Caller) -> str:
    """Say why a change is not taken; nothing if it is."""
    if caller.scope != "write":
        return f"{caller.name} may read, and change nothing"
    if not (is_ours(headers) or _is_no_browser(headers)):
        return "another site sent this: changes are taken from this listener's own pages"
    if scope["path"].startswith(API):
        by_script = caller.by_token or values(headers, HEADER)
        return "" if by_script else "send a header X-GM-Request, with anything in it"
    return "" if is_ours(headers) else "forms are taken from this listener's own pages"


def _known(scope: Request, caller: Caller) -> Request:
    said = {PERSON: caller.name, MAY_WRITE: caller.scope == "write"}
    return {**scope, "extensions": {**scope.get("extensions", {}), **said}}
