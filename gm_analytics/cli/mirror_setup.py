"""`gm-analytics mirror-setup`: the commands that prepare a mirror's host."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import click

from gm_analytics.cli.opened import opened
from gm_analytics.cli.output import CONFIG, MIRROR, mirror_name
from gm_analytics.cli.questions import Form
from gm_analytics.setup import answers, installation, texts


@click.command("mirror-setup")
@CONFIG
@MIRROR
@click.option(
    "--from",
    "sources",
    multiple=True,
    type=Form(answers.SOURCE),
    metavar="ADDRESS",
    help="Accept the service's key from this address or network alone; may be given again.",
)
def mirror_setup(config: Path | None, mirror: str | None, sources: tuple[str, ...]) -> None:
    """Print the script that prepares a mirror's host, Debian or EL, for root to read and run.

    Packages, the account and its key, repository files, nginx, SELinux, firewalld. It keeps what
    is there.
    """
    service = opened(config)
    target = service.settings.mirror(mirror_name(service, mirror))
    if urlsplit(target.base_url).path == "/":
        raise click.UsageError(
            f"{target.base_url} leaves no room beside the repository; expected an address with a "
            f"path, such as {target.base_url}repo/"
        )
    key = texts.authorized_key(installation.public_key(target.identity_file), sources)
    click.echo(texts.mirror_script(target, key), nl=False)
