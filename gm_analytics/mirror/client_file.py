"""The repository file by which clients take a mirror: one for documents, commands, cookbook.

tests/unit/mirror/test_client_file.py compares the documents and the cookbook with it.
"""

from __future__ import annotations

ID = "gm-mirror"
EXPIRE = 1
"""Seconds for which a client believes what it read: with yum's own default it sees a package hours
after it was published."""


def text(
    base_url: str, key_url: str = "", *, name: str, repo_id: str = ID, more: tuple[str, ...] = ()
) -> str:
    """Give the file; `key_url` is where clients find the key, if the metadata are signed.

    Packages keep upstream's signatures, so gpgcheck=1 needs upstream's keys in gpgkey too.
    """
    lines = [
        f"[{repo_id}]",
        f"name={name}",
        f"baseurl={base_url}",
        "enabled=1",
        "gpgcheck=0",
        f"repo_gpgcheck={int(bool(key_url))}",
        *([f"gpgkey={key_url}"] if key_url else []),
        f"metadata_expire={EXPIRE}",
        *more,
    ]
    return "".join(f"{line}\n" for line in lines)


def of_mirror(mirror: str, base_url: str, key_url: str = "") -> str:
    """Give the file for a mirror of the configuration."""
    return text(base_url, key_url, name=f"Private mirror {mirror}")
