"""The key that signs a mirror's metadata: GnuPG, by its home directory.

The private half lives with the service and never on the mirror host, so whoever gets hold of
that host cannot make clients believe other metadata.

While a key is replaced there are two: both sign, so that clients with either one go on.
"""

from __future__ import annotations

import os
import re
import tempfile
from functools import cached_property
from pathlib import Path

import gnupg

from gm_analytics import settings
from gm_analytics.errors import ConfigError, SigningFailed

PUBLIC_NAME = "RPM-GPG-KEY-gm-mirror"
"""The public half's file name, in the key's home and on the mirror."""

# RSA, since what an ed25519 key signed is verified neither by EL 7's GnuPG nor by EL 8's rpm; 4096
# bits outlast the policies of EL 10. Without an end, since clients would have to be told of a new
# one; without a passphrase, since nobody is there to type it.
_PARAMETERS = """
%no-protection
Key-Type: RSA
Key-Length: 4096
Key-Usage: sign
Name-Real: {name}
Name-Comment: metadata of the RPM mirror
Expire-Date: 0
%commit
"""
_NONE = "it is missing; make one with `gm-analytics key`"
_VALID = re.compile(r"^\[GNUPG:\] VALIDSIG .*?([0-9A-F]{40})\s*$", re.MULTILINE)
"""What gpg says of a good signature ends with the primary key's fingerprint (doc/DETAILS)."""
_OURS = 0o077
"""What nobody but the owner may do with the home directory."""


class Key:
    """The key in a GnuPG home directory. Every method may raise `SigningFailed`."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def make(self, name: str) -> bool:
        """Make the key unless it is there, and write its public half; tell whether it was made.

        Never a second one: what clients have been given stays right.
        """
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._failed("making its directory", str(error.strerror)) from error
        made = not self._there
        if made:
            self._generate(name)
        self._write_public()
        return made

    def rotate(self, name: str) -> None:
        """Make the key that takes this one's place; from now on both sign."""
        if len(self.fingerprints) > 1:
            older = self.fingerprints[0]
            fix = f"retire {older} first (`gm-analytics key --retire`)"
            raise self._failed("making another one", f"there are two already: {fix}")
        self._generate(name)
        self._write_public()

    def retire(self) -> str:
        """Remove the older of two keys, which then nothing is signed or believed by; name it."""
        older, *newer = self.fingerprints
        if not newer:
            fix = "`gm-analytics key --rotate` makes another one first"
            raise self._failed("retiring the older one", f"there is only {older}: {fix}")
        for secret in (True, False):
            done = self._gpg.delete_keys(older, secret=secret, expect_passphrase=False)
            if str(done) != "ok":
                raise self._failed(f"removing {older}", _end_of(str(done.stderr)) or str(done))
        self._forget()
        self._write_public()
        return older

    def _generate(self, name: str) -> None:
        done = self._gpg.gen_key(_PARAMETERS.format(name=name))
        if not done.fingerprint:
            raise self._failed("making it", _end_of(done.stderr))
        self._forget()

    def _write_public(self) -> None:
        public = self.public  # before the file, which would stay empty without it
        try:
            self.public_file.write_text(public, encoding="utf-8")
            self.public_file.chmod(0o644)
        except OSError as error:
            raise self._failed("writing its public half", str(error.strerror)) from error

    def _forget(self) -> None:
        for name in ("_there", "public"):
            self.__dict__.pop(name, None)

    @property
    def public_file(self) -> Path:
        """Where `make` puts the public half."""
        return self.home / PUBLIC_NAME

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint, 40 hexadecimal digits; of two the newer one's."""
        return self.fingerprints[-1]

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Those of all that sign, the oldest first."""
        match self._there:
            case [_] | [_, _]:
                return self._there
            case []:
                raise self._failed("looking for it", _NONE)
            case several:
                found = f"found {', '.join(several)}; expected one key, or two"
                raise self._failed("looking for it", found)

    @property
    def names(self) -> str:
        """Name what signs, for people."""
        return " and ".join(reversed(self.fingerprints))

    @cached_property
    def public(self) -> str:
        """The public half, armored; of two keys one after the other, which all clients read."""
        texts = [self._gpg.export_keys(one) for one in reversed(self.fingerprints)]
        if not all(texts):
            raise self._failed("exporting its public half", "gpg gave no key")
        return "".join(map(str, texts))

    def sign(self, data: bytes) -> str:
        """Give an armored, detached signature; of two keys both in one, the older one's first.

        Some clients look at the first alone (yum 3, librepo over rpm).
        """
        by = [word for one in self.fingerprints for word in ("--local-user", one)]
        done = self._gpg.sign(data, detach=True, extra_args=by)
        if not done.data:
            raise self._failed("signing", _end_of(done.stderr))
        return str(done.data.decode())

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Tell whether a detached signature of the data is this key's, or of one of two."""
        return not self.signers(data, signature).isdisjoint(self.fingerprints)

    def signers(self, data: bytes, signature: bytes) -> frozenset[str]:
        """Give the fingerprints of keys that are here and have signed the data."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(signature)
            file.flush()
            found = self._gpg.verify_data(file.name, data)
        return frozenset(_VALID.findall(str(found.stderr)))

    @cached_property
    def _there(self) -> tuple[str, ...]:
        found = self._gpg.list_keys(secret=True)
        by_age = sorted(found, key=lambda key: int(key["date"] or 0))  # else as gpg has them
        return tuple(key["fingerprint"] for key in by_age)

    @cached_property
    def _gpg(self) -> gnupg.GPG:
        if not self.home.is_dir():
            raise self._failed("looking for it", _NONE)
        if not os.access(self.home, os.R_OK | os.W_OK | os.X_OK):
            fix = "this account may not use the directory; give it to the service's, mode 0700"
            raise self._failed("opening its directory", fix)
        if (mode := self.home.stat().st_mode) & _OURS:
            found = f"found mode {mode & 0o777:04o}; expected 0700"
            raise self._failed("opening its directory", found)
        try:
            return gnupg.GPG(gnupghome=str(self.home))
        except (OSError, ValueError) as error:
            fix = f"{error} (install the package gnupg, or gnupg2 on EL)"
            raise self._failed("running gpg", fix) from error

    def _failed(self, doing: str, message: str) -> SigningFailed:
        return SigningFailed(str(self.home), doing, message)


def key_of(mirror: settings.Mirror) -> Key:
    """Give the key that signs a mirror's metadata; it may be yet to be made.

    Raises:
        ConfigError: no key is configured for the mirror.

    """
    if mirror.key_home is None:
        expected = "a directory of the service's own, such as /var/lib/gm_analytics_worker/signing"
        said = f"mirrors[].signing_home: {mirror.name} has no key; expected {expected}"
        raise ConfigError("mirrors", [said])
    return Key(mirror.key_home)


def _end_of(stderr: str) -> str:
    said = [line for line in stderr.splitlines() if line and not line.startswith("[GNUPG:]")]
    return "; ".join(said[-3:]) or "gpg said nothing"
