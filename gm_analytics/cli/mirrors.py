"""The commands about a mirror as a whole: what it serves and keeps, and who publishes there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click

from gm_analytics.cli.opened import opened
from gm_analytics.cli.output import (
    CONFIG,
    JSON,
    YES,
    chosen,
    confirmed,
    finding_text,
    mirror_name,
    named,
    print_json,
)
from gm_analytics.cli.progress import shown
from gm_analytics.cli.publications import PUBLICATION
from gm_analytics.errors import Exit, StoreUnavailable
from gm_analytics.mirror.retention import Collected
from gm_analytics.mirror.signing import key_of
from gm_analytics.operations import repair as repairing
from gm_analytics.operations import status as drift
from gm_analytics.operations.by_hand import DirectStep
from gm_analytics.operations.compared import MOST
from gm_analytics.operations.findings import Severity
from gm_analytics.operations.repair import Repaired
from gm_analytics.operations.standing import Made
from gm_analytics.operations.work import idle, waiting
from gm_analytics.rpm.changes import size_text
from gm_analytics.service import Service
from gm_analytics.wording import counted


@click.command()
@CONFIG
@named
@YES
@JSON
def takeover(config: Path | None, mirror: str | None, yes: bool, as_json: bool) -> None:
    """Publish on MIRROR from this service, in the place of the one that does.

    Stop that one first, or take the mirror from its configuration: its updates fail from now on.
    """
    service = opened(config)
    name = mirror_name(service, mirror)
    with service.mirrors.read(name) as session:
        owner = session.host.owner()
    taken = owner.live and owner.service != service.identity
    if taken:
        click.echo(f"{name}: {owner.published}; this is service {service.identity}", err=as_json)
        if not confirmed("Publish from this one from now on?", yes=yes):
            raise click.Abort
        if not service.operations.take_over(name, owner):
            raise click.UsageError(f"{name} has changed meanwhile; call this again")
    if as_json:
        print_json({"mirror": name, "taken_over": bool(taken), "service": service.identity})
    elif taken:
        click.echo(f"{name}: taken over")
    else:
        click.echo(f"{name}: nothing to take over: no other service publishes there")


@click.command()
@CONFIG
@named
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@JSON
def gc(config: Path | None, mirror: str | None, dry_run: bool, as_json: bool) -> None:
    """Remove what retention does not keep on MIRROR, then RPMs that nothing kept names.

    An update that publishes does the same at its end.
    """
    service = opened(config)
    found = service.operations.collect(mirror_name(service, mirror), dry_run=dry_run)
    if as_json:
        print_json(asdict(found))
    else:
        click.echo(_collected_text(found, dry_run))


@click.command()
@CONFIG
@named
@click.option("--checksums", is_flag=True, help="Read every RPM and compare its SHA-256.")
@JSON
def status(config: Path | None, mirror: str | None, checksums: bool, as_json: bool) -> None:
    """Compare manifest, live publication and what HTTP serves, on MIRROR or on all mirrors.

    Exit codes, for monitoring: 0 they agree; 3 they differ; 1 something could not be compared;
    2 wrong usage or configuration.
    """
    service = opened(config)
    known = [one.name for one in service.settings.mirrors]
    names = [mirror_name(service, mirror)] if chosen(mirror) else known
    found = []
    undone = idle(lambda: service.store.workforce())  # noqa: PLW0108  # it may not open
    waits = waiting(lambda one: service.store.recent(MOST, state="waiting", mirror=one), names)
    compared = drift.run(service, names, checksums=checksums, made=_made_by(service))
    for finding in (*undone, *waits, *compared):
        found.append(finding)
        if not as_json:
            click.echo(finding_text(finding, bad="DIFF"))
    if as_json:
        print_json([asdict(finding) for finding in found])
    sys.exit(_code({finding.severity for finding in found}))


@click.command()
@CONFIG
@named
@JSON
def adopt(config: Path | None, mirror: str | None, as_json: bool) -> None:
    """Trust once more what MIRROR holds now, where its metadata is signed.

    After the first contact nothing unsigned and nothing older is built on. If a backup was
    brought back, or a person changed the mirror, this says that it is meant.
    """
    service = opened(config)
    name = mirror_name(service, mirror)
    key_of(service.settings.mirror(name))  # without a key everything is trusted as it is
    live, packages = service.operations.adopt(name)
    if as_json:
        print_json({"mirror": name, "publication": live, "packages": packages})
        return
    held = counted(packages, "package")
    click.echo(f"{live} with {held} is trusted as it is, and what else is kept")


@click.command()
@CONFIG
@named
@PUBLICATION
@click.option(
    "--accept-resigned",
    is_flag=True,
    help="Take an RPM that upstream signed again as a new file beside the older one.",
)
@JSON
def repair(
    config: Path | None,
    mirror: str | None,
    number: int | None,
    *,
    accept_resigned: bool,
    as_json: bool,
) -> None:
    """Fetch lost and damaged RPMs of MIRROR from upstream again, bit for bit.

    It reads every RPM that the publication names. What nobody has any more is named, and ends
    the command with 4.
    """
    service = opened(config)
    name = mirror_name(service, mirror)
    with shown() as telling:
        found = repairing.run(
            service.mirrors,
            name,
            number,
            DirectStep(telling),
            service.operations.book,
            accept_resigned=accept_resigned,
        )
    if as_json:
        print_json({"mirror": name, **asdict(found)})
    else:
        click.echo(_repaired_text(name, found))
    sys.exit(Exit.REFUSED if found.mended.refused else Exit.DONE)


def _made_by(service: Service) -> Callable[[str], Made]:
    def newest(mirror: str) -> Made:
        try:
            return Made.newest(service.store, mirror)
        except StoreUnavailable:  # of which others tell
            return Made()

    return newest


# --- what is printed ----------------------------------------------------------------------


def _code(severities: set[Severity]) -> Exit:
    if "fail" in severities:
        return Exit.DIFFERS
    return Exit.FAILED if "unknown" in severities else Exit.DONE


def _repaired_text(name: str, found: Repaired) -> str:
    mended = found.mended
    lines = [
        *(f"fetched {package.file}" for package in mended.fetched),
        *(f"signed again: {package.nevra} is {package.file} now" for package in mended.resigned),
        *(f"not repaired: {reason}" for reason in mended.refused),
        *([str(found.made)] if found.made else ()),
    ]
    return "\n".join([*lines, f"{name}: {found.summary}"])


def _collected_text(found: Collected, dry_run: bool) -> str:
    lines = [
        *(f"{directory}: cannot be read" for directory in found.unreadable),
        *(f"publication {number}" for number in found.publications),
        *(f"preview {directory}" for directory in found.previews),
        *(f"preview of #{number}: no longer served" for number in found.dropped),
        *(f"rpm {rpm.file}  {size_text(rpm.size)}" for rpm in found.rpms),
    ]
    verb = "would go" if dry_run else "went"
    sizes = f"{found.before:,} bytes before, {found.after:,} after"
    return "\n".join([*lines, f"{found.counts} {verb}: {sizes}"])
