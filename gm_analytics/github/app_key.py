"""What a GitHub App proves itself with: a JSON web token, signed with its private key.

It is signed only, and none is ever read, so that it takes no library of its own: three parts in
base64, by RFC 7519 and RFC 7515. The signature is `cryptography`'s.
Source: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gm_analytics import settings
from gm_analytics.errors import ConfigError

SKEW = 60
"""Seconds that GitHub's clock may be behind."""
LIFE = 540
"""Seconds that it is good for; GitHub takes 600 at most."""


def assertion(config: settings.GitHub) -> str:
    """Give a token by which GitHub knows the app, for some minutes.

    Raises:
        ConfigError: the private key cannot be used.

    """
    now = int(time.time())
    claims = {"iat": now - SKEW, "exp": now - SKEW + LIFE, "iss": config.app_id}
    signed = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
    signature = _key(config).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{_base64(signature)}"


def _key(config: settings.GitHub) -> rsa.RSAPrivateKey:
    try:
        found = serialization.load_pem_private_key(config.private_key().encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable("not a private key without a passphrase, in PEM") from error
    if not isinstance(found, rsa.RSAPrivateKey):
        raise _unusable("not an RSA key")
    return found


def _unusable(said: str) -> ConfigError:
    expected = "expected the .pem file that GitHub made for the app"
    return ConfigError("github", [f"private_key_file: {said}; {expected}"])


def _part(values: dict[str, Any]) -> str:
    return _base64(json.dumps(values, separators=(",", ":")).encode())


def _base64(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
