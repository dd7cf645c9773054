"""The commands that change what a mirror holds by a person's word: each has a plan and asks."""

from __future__ import annotations

from pathlib import Path

import click

from gm_analytics.cli.opened import opened
from gm_analytics.cli.output import (
    CONFIG,
    JSON,
    MIRROR,
    YES,
    confirmed,
    mirror_name,
    named,
    print_json,
)
from gm_analytics.cli.progress import shown
from gm_analytics.operations import acceptance, removal
from gm_analytics.operations.again import Made
from gm_analytics.operations.by_hand import DirectStep
from gm_analytics.rpm.changes import size_text
from gm_analytics.wording import counted

_CONSEQUENCES = {
    "publish": "with on_merge the next merge makes the live set exactly its manifest's closure",
    "releasever": "what is live stays until it is replaced, so that two releases may be mixed",
    "arch": "what is live stays until it is replaced, so that architectures may be mixed",
}


@click.command()
@CONFIG
@MIRROR
@YES
@JSON
@click.argument("names", metavar="PACKAGE...", nargs=-1, required=True)
def remove(
    config: Path | None, mirror: str | None, *, yes: bool, as_json: bool, names: tuple[str, ...]
) -> None:
    """Serve PACKAGEs no longer, where publications only add (`publish: on_pull_request`).

    PACKAGE is a spec as a manifest names it, which takes along what it alone pulled in, or a
    package's name or NEVRA. What others need is named and not removed. `rollback` brings it back.
    """
    service = opened(config)
    if service.settings.publishes_on_merge:
        raise click.UsageError("with publish: on_merge, merge a manifest without the package")
    name = mirror_name(service, mirror)
    planned = removal.plan(service.mirrors, name, names)
    for package in planned.gone:
        click.echo(f"removed    {package.nevra}  {size_text(package.size)}", err=as_json)
    click.echo(f"{len(planned.gone):,} removed, {len(planned.left):,} stay", err=as_json)
    if planned.unexplained:
        said = f"{planned.unexplained:,} of them are there for no known spec: what those need"
        click.echo(f"{said} is not looked at", err=as_json)
    if not confirmed("Publish without them?", yes=yes):
        raise click.Abort
    with shown() as telling:
        book = service.operations.book
        made = removal.run(service.mirrors, name, planned, DirectStep(telling), book)
    gone = [{"kind": "removed", "nevra": one.nevra, "size": one.size} for one in planned.gone]
    _say(name, made, as_json=as_json, changes=gone)


@click.command("accept-change")
@CONFIG
@named
@YES
@JSON
def accept_change(config: Path | None, mirror: str | None, yes: bool, as_json: bool) -> None:
    """Go on with another configuration on MIRROR than what is live was made with.

    Until then updates are refused. Clients see the same packages; `plan` says what a manifest
    would change then.
    """
    service = opened(config)
    name = mirror_name(service, mirror)
    planned = acceptance.plan(service.mirrors, name)
    if not planned.changes:
        if as_json:
            print_json({"mirror": name, "publication": "", "accepted": []})
        else:
            click.echo(f"{name}: nothing to accept: it is configured as what is live was made")
        return
    for change in planned.changes:
        key = change.partition(":")[0]
        follows = f"; {_CONSEQUENCES[key]}" if key in _CONSEQUENCES else ""
        click.echo(f"{change}{follows}", err=as_json)
    verb = "is live and stays so" if planned.packages == 1 else "are live and stay so"
    click.echo(f"{counted(planned.packages, 'package')} {verb}", err=as_json)
    if not confirmed("Make publications with this from now on?", yes=yes):
        raise click.Abort
    with shown() as telling:
        book = service.operations.book
        made = acceptance.run(service.mirrors, name, planned, DirectStep(telling), book)
    _say(name, made, as_json=as_json, accepted=list(planned.changes))


def _done(name: str, made: Made | None) -> Made:
    if made is None:
        raise click.UsageError(f"{name} has changed meanwhile; call this again")
    return made


def _say(name: str, made: Made | None, *, as_json: bool, **facts: object) -> None:
    done = _done(name, made)
    if as_json:
        told = {"publication": done.directory, "unseen": done.unseen}
        print_json({"mirror": name, **told, **facts})
    else:
        click.echo(f"{name}: {done}")
