"""`gm-analytics client`: the repository file of a mirror's clients."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gm_analytics.cli.opened import opened
from gm_analytics.cli.output import CONFIG, JSON, mirror_name, named, print_json
from gm_analytics.operations import clients


@click.command()
@CONFIG
@named
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write FILE, with the password if there is one; then nobody else may read it.",
)
@JSON
def client(config: Path | None, mirror: str | None, output: Path | None, *, as_json: bool) -> None:
    """Print the repository file by which clients take MIRROR, with the keys they check by.

    It goes to /etc/yum.repos.d/gm-mirror.repo of a client. What is live decides which keys; if it
    names other ones later, this prints them.
    """
    service = opened(config)
    target = service.settings.mirror(mirror_name(service, mirror))
    found = clients.of_live(service.mirrors, target, with_password=output is not None)
    if output:
        _write(output, found.text, private=target.http is not None)
    if as_json:
        print_json({**found.json(), **({"output": str(output), "client": ""} if output else {})})
    elif output is None:
        click.echo(found.text, nl=False)


def _write(path: Path, text: str, *, private: bool) -> None:
    """Write the file as a whole: nobody reads half of it, nor what is not theirs to read."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.chmod(0o600 if private else 0o644)
    fresh.replace(path)
