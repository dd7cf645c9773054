"""The commands that set an installation up: what is there, what is missing, its keys."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from gm_analytics.cli.opened import opened
from gm_analytics.cli.output import (
    CONFIG,
    JSON,
    MIRROR,
    NO_MIRROR,
    finding_text,
    mirror_name,
    named,
    print_json,
)
from gm_analytics.errors import Exit
from gm_analytics.mirror import client_file
from gm_analytics.mirror.signing import key_of
from gm_analytics.operations import check as checks
from gm_analytics.operations import rotation

_COMPLETE = "_GM_ANALYTICS_COMPLETE"
"""The variable through which a shell asks click for words: see
https://click.palletsprojects.com/en/stable/shell-completion/"""


@click.command()
@CONFIG
@MIRROR
@JSON
def check(config: Path | None, mirror: str | None, as_json: bool) -> None:
    """Check the configuration, the store, GitHub and each mirror: a fact or the fix a line."""
    service, found = opened(config), []
    looked = service.settings
    if mirror:
        looked = looked.model_copy(update={"mirrors": [looked.mirror(mirror)]})
    for finding in checks.run(
        looked,
        lambda: service.store.check(),  # noqa: PLW0108  # a store that cannot be opened is a finding
        lambda: service.identity,
        lambda: service.store.renamed(),  # noqa: PLW0108
        work=lambda: service.store.workforce(),  # noqa: PLW0108
    ):
        found.append(finding)
        if not as_json:
            click.echo(finding_text(finding))
    if as_json:
        print_json([asdict(finding) for finding in found])
    sys.exit(Exit.DONE if all(finding.good for finding in found) else Exit.FAILED)


@click.command()
@CONFIG
@named
@click.option("--rotate", is_flag=True, help="Make another key; both sign until --retire.")
@click.option("--retire", is_flag=True, help="Remove the older of two keys.")
@JSON
def key(
    config: Path | None, mirror: str | None, *, rotate: bool, retire: bool, as_json: bool
) -> None:
    """Make the key that signs a mirror's metadata, and say what clients need.

    A key that is there already is kept.
    """
    service = opened(config)
    target = service.settings.mirror(mirror_name(service, mirror))
    found = key_of(target)
    made = found.make(target.name)
    if rotate and not made:
        found.rotate(target.name)
    older = rotation.retire(service.settings, service.mirrors, found) if retire else ""
    address = f"{target.base_url}{found.public_file.name}"
    trusted = client_file.Trusted(metadata=(address,))
    client = client_file.of_mirror(target.name, target.base_url, trusted)
    if as_json:
        keys = {"fingerprints": list(found.fingerprints), "made": bool(made), "retired": older}
        public = {"public_file": str(found.public_file), "address": address, "client": client}
        print_json({"mirror": target.name, "home": str(found.home), **keys, **public})
        return
    if older:
        click.echo(f"key {older}: removed")
    click.echo(
        f"key {found.names}: {'made' if made or rotate else 'there already'}, in {found.home}\n"
        f"public half: {found.public_file}; from the next publication on also {address}\n"
        "once that is published, `gm-analytics client` prints a client's repository file;\n"
        "compare the key that a client fetches over HTTP with this fingerprint"
    )


@click.command()
@CONFIG
@NO_MIRROR
@click.argument("repository")
def forget(config: Path | None, repository: str) -> None:
    """Let REPOSITORY, an owner/name, be another one than it was: its id is learned again."""
    if not opened(config).store.forget_repository(repository):
        raise click.UsageError(f"no id is known of repository {repository}")
    click.echo(f"repository {repository}: its id is learned at the next delivery")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what has SHELL complete commands, options and mirrors.

    For bash: `gm-analytics completion bash > /etc/bash_completion.d/gm-analytics`.
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    root = ctx.find_root()
    click.echo(found(root.command, {}, "gm-analytics", _COMPLETE).source())
