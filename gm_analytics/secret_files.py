"""Secrets that the configuration names by the file which holds them.

Web and worker read one configuration and run as two accounts, so one of them may not read each
file. What it may not read is an error only where it is used.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from gm_analytics.errors import ConfigError

_KEYS = frozenset(
    {"secret_file", "token_file", "private_key_file", "database_url_file", "password_file"}
)


@dataclass(frozen=True)
class Files:
    """The files of a configuration."""

    config: Path
    has_secrets: bool
    """Whether it holds any itself."""
    secrets: tuple[Path, ...]
    """Those that it names."""

    @classmethod
    def of(cls, path: Path, data: dict[str, Any]) -> Self:
        """Read them from what is in the file, which was found good."""
        operators = data.get("operators") or {}
        known = (*(operators.get("tokens") or ()), *(operators.get("users") or ()))
        places = [data, data["webhook"], data.get("github") or {}, *known]
        mirrors = data["mirrors"]
        places += [mirror.get("http") or {} for mirror in mirrors]
        named = [Path(p[key]) for p in places for key in p if key in _KEYS]
        kept = any(key in p for p in places for key in ("secret", "token", "password"))
        # Addresses may hold a password.
        with_password = [data.get("database_url"), *(p.get("proxy") for p in (*places, *mirrors))]
        kept = kept or any("@" in str(address) for address in with_password)
        return cls(path, kept, tuple(named))


@dataclass(frozen=True)
class Unread:
    """A file that this process's account may not read."""

    key: str
    path: Path

    def __str__(self) -> str:
        owner = _owner(self.path)
        whose = f"it belongs to {owner}: run this as {owner} or as root" if owner else ""
        cure = whose or "run this as the account that may, or as root"
        return f"{self.key}: reading {self.path}: not allowed to account {account()}; {cure}"

    def error(self) -> ConfigError:
        """Give the error for whoever needs the content."""
        return ConfigError("as this account", [str(self)])


def account() -> str:
    """Name the account of this process."""
    return _name(os.geteuid())


def unread(key: str, path: Path) -> Unread | None:
    """Tell of a file that this account may not read; one that is missing does not count."""
    try:
        with path.open("rb"):
            return None
    except PermissionError:
        return Unread(key, path)
    except OSError:
        return None


def take(values: Any, section: str, key: str) -> tuple[Any, Unread | None]:
    """Replace `<key>_file: path` by `<key>: content`, or leave it out and say that it is unread.

    Raises:
        ValueError: both are given, or the file has nothing that could be read by anybody.

    """
    if not isinstance(values, dict) or f"{key}_file" not in values:
        return values, None
    if key in values:
        raise ValueError(f"give {key} or {key}_file, not both")
    path = values[f"{key}_file"]
    if not isinstance(path, str):
        raise ValueError(f"{key}_file: found {path!r}; expected a path")
    if not Path(path).is_absolute():
        raise ValueError(f"{key}_file: found {path!r}; expected an absolute path")
    rest = {name: value for name, value in values.items() if name != f"{key}_file"}
    try:
        return {**rest, key: Path(path).read_text(encoding="utf-8").strip()}, None
    except PermissionError:
        return rest, Unread(f"{section}{key}_file", Path(path))
    except OSError as error:
        raise ValueError(f"{key}_file: reading {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{key}_file: reading {path}: no UTF-8") from error


def again(path: object) -> str | None:
    """Read such a file once more; None if that cannot be done now."""
    try:
        return Path(path).read_text(encoding="utf-8").strip() if isinstance(path, str) else None
    except (OSError, UnicodeDecodeError):
        return None


def _owner(path: Path) -> str | None:
    """Name a file's owner, where it is another account and may be known."""
    try:
        uid = path.stat().st_uid
    except OSError:
        return None
    return _name(uid) if uid not in (0, os.geteuid()) else None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
