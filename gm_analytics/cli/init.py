"""`gm-analytics init`: from nothing to a configuration, keys, and what other hosts need."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from gm_analytics import settings
from gm_analytics.cli import questions
from gm_analytics.errors import GmError, HostKeyRefused, MirrorUnreachable
from gm_analytics.remote import host_keys
from gm_analytics.remote.host_keys import HostKey
from gm_analytics.setup import accounts, installation, places, told
from gm_analytics.setup.accounts import Accounts
from gm_analytics.setup.installation import Made
from gm_analytics.setup.places import Places

_HIDDEN_FROM_UNITS = ("/home/", "/root/", "/run/user/")


@dataclass(frozen=True)
class _Trust:
    """How a host key is agreed to."""

    fingerprint: str | None
    any_key: bool
    later: bool

    def require(self, known_hosts: Path) -> None:
        """See that somebody, or an option, can tell the right key.

        Raises:
            click.UsageError: nobody can.

        """
        said = self.fingerprint or self.any_key or self.later
        if not said and not sys.stdin.isatty() and not os.path.lexists(known_hosts):
            raise click.UsageError(
                "standard input is no terminal, so nobody can compare the mirror's host key: "
                "give --host-key FINGERPRINT, --accept-host-keys or --no-host-key"
            )


@click.command()
@questions.options
def init(
    *,
    host_key: str | None,
    accept_host_keys: bool,
    no_host_key: bool,
    directory: Path | None,
    state: Path | None,
    account: str | None,
    web_account: str | None,
    units: Path | None,
    listen_port: int,
    **given: Any,
) -> None:
    """Set an installation up: secret, SSH key, configuration, the mirror's host key, units.

    Asks on a terminal for what no option says. Nothing that is there is overwritten, so it may be
    run again. It ends with what is left to do.
    """
    where, who = places.find(directory, state), accounts.find(account, web_account)
    trust = _Trust(host_key, accept_host_keys, no_host_key)
    trust.require(where.known_hosts)
    program = _program() if units else ""
    config = _configuration(where, who, given)
    if units:
        _say(installation.write_units(units.absolute(), where, who, program, listen_port))
    problem = _pin_all(config, who, trust)
    public = installation.public_key(config.mirrors[0].identity_file)
    secret = installation.secret_file(config)
    click.echo(f"\n{told.steps(config, where.config, who, public, secret=secret, units=units)}")
    if problem:
        click.echo(f"\nnot pinned: {problem}\nhint: {problem.hint}", err=True)
        sys.exit(problem.code)


def _configuration(where: Places, who: Accounts, given: dict[str, Any]) -> settings.Settings:
    found = None if os.path.lexists(where.config) else questions.ask(given)
    _say(installation.prepare(where, who))
    kept = Made(where.config, new=False)
    _say([installation.configure(where, who, found) if found else kept])
    return settings.load(where.config)


def _say(made: Iterable[Made]) -> None:
    for one in made:
        click.echo(str(one))


def _program() -> str:
    """Give the command of this installation, for units.

    Raises:
        click.UsageError: units could not see it.

    """
    found = Path(sys.executable).parent / "gm-analytics"
    if str(found).startswith(_HIDDEN_FROM_UNITS):
        raise click.UsageError(
            f"--units: {found} is in a home directory, which the units are kept from: install "
            "gm_analytics in a virtual environment such as /opt/gm_analytics/venv"
        )
    return str(found)


def _pin_all(config: settings.Settings, who: Accounts, trust: _Trust) -> GmError | None:
    """Pin the host key of each mirror that has none; give what was in the way."""
    for mirror in config.mirrors:
        if trust.later or os.path.lexists(mirror.known_hosts):
            continue
        try:
            line = _agreed(mirror, trust).line
        except (MirrorUnreachable, HostKeyRefused) as error:
            return error
        _say([installation.pin(mirror.known_hosts, who, line)])
    return None


def _agreed(mirror: settings.Mirror, trust: _Trust) -> HostKey:
    """Give the key that the mirror offers, if it is the right one.

    Raises:
        MirrorUnreachable: it offers none now.
        HostKeyRefused: it is another one.

    """
    found = host_keys.offered(mirror.name, mirror.address, mirror.port)
    shown = f"{found.kind} {found.fingerprint}"
    click.echo(f"mirror {mirror.name} offers the host key {shown}")
    if trust.fingerprint:
        right, why = trust.fingerprint.rstrip("=") == found.fingerprint, "--host-key says another"
    elif trust.any_key:
        right, why = True, ""
    else:
        right, why = _confirmed(found.kind), "it was not confirmed"
    if not right:
        raise HostKeyRefused(mirror.name, f"{shown}: {why}", "", str(mirror.known_hosts))
    return found


def _confirmed(kind: str) -> bool:
    short = {"ssh-ed25519": "ed25519", "ssh-rsa": "rsa"}.get(kind, "ecdsa")
    click.echo("compare it with what the mirror itself says, on its console:")
    click.echo(f"  ssh-keygen -lf /etc/ssh/ssh_host_{short}_key.pub")
    return click.confirm("is it that one?")
