"""The service's own memory of what it signed: a file beside the key, on the service's host.

It makes a mirror unable to go back to what was unsigned, or to an older publication. Workers on
other hosts that share the key have a memory of their own: each is a lower bound.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gm_analytics import stored
from gm_analytics.errors import NewerFormat, SigningFailed
from gm_analytics.mirror import seal
from gm_analytics.mirror.seal import Known

NAME = "mirrors.json"
_LEDGER = TypeAdapter(dict[str, dict[str, Any]])
_KNOWN = TypeAdapter(Known)


class Ledger:
    """The file `mirrors.json` in the signing home. Every method may raise `SigningFailed`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._path = home / NAME

    def find(self, mirror: str) -> Known | None:
        """Give what is known of a mirror, named by its address and root."""
        return self._known(self._read().get(mirror))

    def change(self, mirror: str, change: Callable[[Known | None], Known | None]) -> Known | None:
        """Replace what is known of a mirror, by one rename, with no other process between."""
        with self._locked():
            everything = self._read()
            before = self._known(everything.get(mirror))
            after = change(before)
            if after != before:
                rest = {name: one for name, one in everything.items() if name != mirror}
                self._write(rest | ({mirror: asdict(after)} if after else {}))
            return after

    def _known(self, values: dict[str, Any] | None) -> Known | None:
        """Read one mirror's; what is wrong with another's stops no one here."""
        if values is None:
            return None
        try:
            stored.refuse_values(f"an entry of {NAME}", values, seal.FORMAT)
            return _KNOWN.validate_python(values)
        except (NewerFormat, ValidationError) as error:
            raise self._unreadable(error) from error

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            return _LEDGER.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValidationError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> SigningFailed:
        fix = "mend it, or give it to the service's account; without it nothing is trusted"
        said = f"{error} ({fix})" if not isinstance(error, NewerFormat) else str(error)
        return SigningFailed(str(self._home), f"reading {NAME}", said)

    def _write(self, known: dict[str, dict[str, Any]]) -> None:
        fresh = self._path.with_name(f".{NAME}.new")
        try:
            fresh.unlink(missing_ok=True)
            with os.fdopen(
                os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
            ) as file:
                file.write(_LEDGER.dump_json(known, indent=1))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:
            raise SigningFailed(str(self._home), f"writing {NAME}", str(error)) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            descriptor = os.open(self._home / f".{NAME}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SigningFailed(str(self._home), f"locking {NAME}", str(error)) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
