"""The key with which the service logs in to a mirror: ed25519, in OpenSSH's form."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

COMMENT = "gm_analytics"


def new() -> str:
    """Make a private key; without a passphrase, since nobody is there to type it."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
        .decode()
    )


def public_of(private: str) -> str:
    """Give the public half as a line of `authorized_keys` has it.

    Raises:
        ValueError: it is no private key without a passphrase.

    """
    try:
        key = serialization.load_ssh_private_key(private.encode(), None)
    except (TypeError, UnsupportedAlgorithm) as error:  # a passphrase is asked for
        raise ValueError(str(error)) from error
    half = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return f"{half.decode()} {COMMENT}"
