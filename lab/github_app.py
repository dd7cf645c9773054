"""A GitHub App at the stand-in for GitHub: its key, its installation and the tokens it was given.

Source: https://docs.github.com/en/rest/apps/apps
"""

from __future__ import annotations

import json
import secrets
import time
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

MAX_LIFE = 600
"""Seconds that an app's own token may be good for."""
HOUR = 3600


def _make_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@dataclass
class App:
    """An app that is installed on one repository, or not any more."""

    id: int = 5001
    client_id: str = "Iv23liLab00000000001"
    slug: str = "gm-mirror"
    installation: int | None = 7001
    tokens: list[str] = field(default_factory=list)
    """Those that are good now."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    """What each token was asked for with."""
    _key: rsa.RSAPrivateKey = field(default_factory=_make_key, repr=False)

    @property
    def private_key(self) -> str:
        """The file that GitHub has its owner download."""
        kind = serialization.PrivateFormat.TraditionalOpenSSL
        plain = serialization.NoEncryption()
        return self._key.private_bytes(serialization.Encoding.PEM, kind, plain).decode()

    @property
    def user(self) -> dict[str, Any]:
        """Who its comments are by."""
        return {"login": f"{self.slug}[bot]", "id": 3, "type": "Bot", "site_admin": False}

    @property
    def shown(self) -> dict[str, Any]:
        """How it appears on what it made."""
        return {"id": self.id, "client_id": self.client_id, "slug": self.slug}

    def change_key(self) -> None:
        """Have GitHub take another private key from now on, and the one before no more."""
        self._key = _make_key()

    def refuses(self, given: str | None) -> str:
        """Say why what an app says of itself is not taken, or nothing."""
        scheme, _, text = (given or "").partition(" ")
        parts = text.split(".")
        if scheme != "Bearer" or len(parts) != 3:  # noqa: PLR2004
            return "A JSON web token could not be decoded"
        head, claims, signature = parts
        try:
            signed = f"{head}.{claims}".encode()
            public = self._key.public_key()
            public.verify(_decoded(signature), signed, padding.PKCS1v15(), hashes.SHA256())
            found, told = json.loads(_decoded(head)), json.loads(_decoded(claims))
        except (InvalidSignature, ValueError):
            return "A JSON web token could not be decoded"
        if found.get("alg") != "RS256" or str(told.get("iss")) not in (
            str(self.id), self.client_id,
        ):  # fmt: skip
            return "Integration must generate a public key"
        return _late(told, time.time())

    def give_token(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Give a token of its installation."""
        self.asked.append(asked)
        self.tokens.append(f"ghs_{secrets.token_hex(18)}")
        ends = datetime.fromtimestamp(time.time() + HOUR, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"token": self.tokens[-1], "expires_at": ends, "repository_selection": "selected"}


def _late(claims: dict[str, Any], now: float) -> str:
    if not claims.get("iat", now + 1) <= now:
        return "'Issued at' claim ('iat') must be an Integer representing the time that it was"
    if not now < claims.get("exp", 0) <= now + MAX_LIFE:
        return "'Expiration time' claim ('exp') is too far in the future"
    return ""


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
