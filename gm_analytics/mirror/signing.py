"""The key that signs a mirror's metadata: GnuPG, by its home directory.

The private half lives with the service and never on the mirror host, so whoever gets hold of
that host cannot make clients believe other metadata.
"""

from __future__ import annotations

import os
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
_OURS = 0o077
"""What nobody but the owner may do with the home directory."""


class Key:
    """The one key in a GnuPG home directory. Every method may raise `SigningFailed`."""

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
        made = not self._fingerprints
        if made:
            done = self._gpg.gen_key(_PARAMETERS.format(name=name))
            if not done.fingerprint:
                raise self._failed("making it", _end_of(done.stderr))
            del self._fingerprints
        public = self.public  # before the file, which would stay empty without it
        try:
            self.public_file.write_text(public, encoding="utf-8")
            self.public_file.chmod(0o644)
        except OSError as error:
            raise self._failed("writing its public half", str(error.strerror)) from error
        return made

    @property
    def public_file(self) -> Path:
        """Where `make` puts the public half."""
        return self.home / PUBLIC_NAME

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint, 40 hexadecimal digits."""
        match self._fingerprints:
            case [one]:
                return one
            case []:
                raise self._failed("looking for it", _NONE)
            case several:
                found = f"found {', '.join(several)}; expected one key"
                raise self._failed("looking for it", found)

    @cached_property
    def public(self) -> str:
        """The public half, armored."""
        text = self._gpg.export_keys(self.fingerprint)
        if not text:
            raise self._failed("exporting its public half", "gpg gave no key")
        return str(text)

    def sign(self, data: bytes) -> str:
        """Give an armored, detached signature."""
        done = self._gpg.sign(data, detach=True, keyid=self.fingerprint)
        if not done.data:
            raise self._failed("signing", _end_of(done.stderr))
        return str(done.data.decode())

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Tell whether an armored, detached signature of the data is this key's."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(signature)
            file.flush()
            found = self._gpg.verify_data(file.name, data)
        return bool(found.valid) and found.pubkey_fingerprint == self.fingerprint

    @cached_property
    def _fingerprints(self) -> list[str]:
        found = self._gpg.list_keys(secret=True)
        return [key["fingerprint"] for key in found]

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
    if mirror.signing_home is None:
        expected = "a directory of the service's own, such as /var/lib/gm_analytics_worker/signing"
        said = f"mirrors[].signing_home: {mirror.name} has no key; expected {expected}"
        raise ConfigError("mirrors", [said])
    return Key(mirror.signing_home)


def _end_of(stderr: str) -> str:
    said = [line for line in stderr.splitlines() if line and not line.startswith("[GNUPG:]")]
    return "; ".join(said[-3:]) or "gpg said nothing"
