"""The commands that set an installation up: what is there, what is missing, its keys."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gm_analytics.cli.opened import opened
from gm_analytics.cli.output import CONFIG, MIRROR, finding_text, mirror_name
from gm_analytics.errors import Exit
from gm_analytics.mirror import client_file
from gm_analytics.mirror.signing import key_of
from gm_analytics.operations import check as checks
from gm_analytics.operations import rotation


@click.command()
@CONFIG
def check(config: Path | None) -> None:
    """Check the configuration, the store, GitHub and each mirror: a fact or the fix a line."""
    good = True
    service = opened(config)
    for finding in checks.run(
        service.settings,
        lambda: service.store.check(),  # noqa: PLW0108  # a store that cannot be opened is a finding
        lambda: service.identity,
        lambda: service.store.renamed(),  # noqa: PLW0108
        work=lambda: service.store.workforce(),  # noqa: PLW0108
    ):
        good = good and finding.good
        click.echo(finding_text(finding))
    sys.exit(Exit.DONE if good else Exit.FAILED)


@click.command()
@CONFIG
@MIRROR
@click.option("--rotate", is_flag=True, help="Make another key; both sign until --retire.")
@click.option("--retire", is_flag=True, help="Remove the older of two keys.")
def key(config: Path | None, mirror: str | None, rotate: bool, retire: bool) -> None:
    """Make the key that signs a mirror's metadata, and say what clients need.

    A key that is there already is kept.
    """
    service = opened(config)
    target = service.settings.mirror(mirror_name(service, mirror))
    found = key_of(target)
    made = found.make(target.name)
    if rotate and not made:
        found.rotate(target.name)
    if retire:
        older = rotation.retire(service.settings, service.mirrors, found)
        click.echo(f"key {older}: removed")
    address = f"{target.base_url}{found.public_file.name}"
    click.echo(
        f"key {found.names}: {'made' if made or rotate else 'there already'}, in {found.home}\n"
        f"public half: {found.public_file}; from the next publication on also {address}\n"
        "a client's repository file, once that is published (gpgcheck=1 needs upstream's keys in\n"
        "gpgkey too; compare the key that a client fetches over HTTP with this fingerprint):\n\n"
        f"{client_file.of_mirror(target.name, target.base_url, address)}",
        nl=False,
    )


@click.command()
@CONFIG
@click.argument("repository")
def forget(config: Path | None, repository: str) -> None:
    """Let REPOSITORY, an owner/name, be another one than it was: its id is learned again."""
    if not opened(config).store.forget_repository(repository):
        raise click.UsageError(f"no id is known of repository {repository}")
    click.echo(f"repository {repository}: its id is learned at the next delivery")


COMMANDS = (check, key, forget)
