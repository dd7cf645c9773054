"""An installation's files: what is missing is made, what is there is kept."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gm_analytics import settings
from gm_analytics.errors import ConfigError
from gm_analytics.secret_files import again
from gm_analytics.setup import files, ssh_key, texts
from gm_analytics.setup.accounts import Accounts
from gm_analytics.setup.answers import Answers
from gm_analytics.setup.places import Places


@dataclass(frozen=True)
class Made:
    """A file or directory, and whether it was missing."""

    path: Path
    new: bool

    def __str__(self) -> str:
        return f"{'made' if self.new else 'kept'} {self.path}"


def prepare(places: Places, accounts: Accounts) -> Iterator[Made]:
    """Make the directories, the secret and the key: what needs no answer.

    Raises:
        OSError: the system refused.

    """
    for directory, owner, mode in (
        (places.etc, accounts.root, 0o750),
        (places.store, accounts.worker, 0o2770 if accounts.are_two else 0o700),
        (places.work, accounts.worker, 0o700),
    ):
        yield Made(directory, files.make_directory(directory, owner, mode))
    secret = f"{secrets.token_hex(32)}\n"
    yield Made(places.secret, files.make_file(places.secret, secret, accounts.web, 0o600))
    yield Made(places.key, files.make_file(places.key, ssh_key.new(), accounts.worker, 0o600))


def configure(places: Places, accounts: Accounts, answers: Answers) -> Made:
    """Write the configuration, and see that the service takes it; else it goes again.

    Raises:
        ConfigError: it does not: two answers contradict each other.
        OSError: the system refused.

    """
    text = texts.configuration(answers, places)
    made = Made(places.config, files.make_file(places.config, text, accounts.root, 0o640))
    try:
        settings.load(places.config)
    except ConfigError:
        if made.new:
            places.config.unlink()
        raise
    return made


def pin(known_hosts: Path, accounts: Accounts, line: str) -> Made:
    """Write the host key that the service is to accept.

    Raises:
        OSError: the system refused.

    """
    return Made(known_hosts, files.make_file(known_hosts, line, accounts.root, 0o644))


def write_units(
    directory: Path, places: Places, accounts: Accounts, program: str, port: int
) -> Iterator[Made]:
    """Write the systemd units.

    Raises:
        OSError: the system refused.

    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts.units(places, accounts, program, port).items():
        path = directory / name
        yield Made(path, files.make_file(path, text, accounts.root, 0o644))


def secret_file(config: settings.Settings) -> Path | None:
    """Give the file that has the webhook's secret; None if the configuration has it itself."""
    if config.polls or not config.files:
        return None
    found = (path for path in config.files.secrets if again(str(path)) == config.webhook.secret)
    return next(found, None)


def public_key(identity_file: Path) -> str:
    """Give the public half of the key by which the service logs in.

    Raises:
        ConfigError: the key cannot be read, or needs a passphrase.

    """
    try:
        return ssh_key.public_of(identity_file.read_text(encoding="utf-8"))
    except OSError as error:
        said = f"reading {identity_file}: {error.strerror}"
    except ValueError as error:
        said = f"{identity_file}: {error}; expected a private key without a passphrase"
    raise ConfigError("identity_file", [said])
