"""The commands about publications: what a mirror keeps, what is in it, and going back."""

from __future__ import annotations

import sys
from dataclasses import asdict
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
    plan_text,
    print_json,
    print_last,
)
from gm_analytics.cli.progress import shown
from gm_analytics.mirror.history import Held
from gm_analytics.mirror.session import Session
from gm_analytics.operations import contents, exported
from gm_analytics.operations.by_hand import DirectStep
from gm_analytics.operations.contents import Kept
from gm_analytics.rpm.changes import size_text
from gm_analytics.service import Service
from gm_analytics.wording import counted, when_written

NUMBER = click.IntRange(1, 10**12 - 1)
"""Of a publication."""
PUBLICATION = click.option(
    "--publication", "number", type=NUMBER, help="Its number; by default the live one's."
)


@click.command()
@CONFIG
@named
@JSON
def publications(config: Path | None, mirror: str | None, as_json: bool) -> None:
    """List the publications that MIRROR keeps, oldest first; `*` marks the live one."""
    service = opened(config)
    with service.mirrors.read(mirror_name(service, mirror)) as session:
        kept = session.publications.history().publications
        _warn_of_another(service, session)
    if as_json:
        print_json([_held_json(held) for held in kept])
    else:
        for held in kept:
            click.echo(_held_text(held))


@click.command()
@CONFIG
@MIRROR
@click.argument("spec", required=False)
@JSON
def packages(config: Path | None, mirror: str | None, spec: str | None, as_json: bool) -> None:
    """Say in which publications a package is, since when, and which specs wanted it.

    SPEC is a package's name (`*` and `?` stand for others), name-version or NEVRA, or a spec as a
    manifest names it. Without SPEC it is about all that is live; `*` marks what is.
    """
    service = opened(config)
    found = contents.run(service.mirrors, mirror_name(service, mirror), spec)
    if as_json:
        print_json([_kept_json(kept) for kept in found])
    else:
        for kept in found:
            click.echo(_kept_text(kept))


@click.command()
@CONFIG
@MIRROR
@click.argument("before", type=NUMBER)
@click.argument("after", type=NUMBER)
@JSON
def diff(config: Path | None, mirror: str | None, before: int, after: int, as_json: bool) -> None:
    """Say how publication AFTER differs from BEFORE, as `plan` says it."""
    service = opened(config)
    name = mirror_name(service, mirror)
    with service.mirrors.read(name) as session:
        _warn_of_another(service, session)
    found = service.operations.compare(name, before, after)
    if as_json:
        print_json(asdict(found))
    else:
        click.echo(plan_text(found))


@click.command()
@CONFIG
@MIRROR
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@YES
@JSON
@click.argument("number", type=NUMBER, required=False)
def rollback(
    config: Path | None,
    mirror: str | None,
    number: int | None,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Make publication NUMBER live again; without it, the one before the live one.

    It is published again under a newer number, since clients would not go back. A person at a
    terminal is told what would change, and asked.
    """
    service = opened(config)
    name = mirror_name(service, mirror)
    if dry_run or (sys.stdin.isatty() and not yes):
        number, planned = service.operations.look_back(name, number)
        if dry_run and as_json:
            print_json({"publication": number, **asdict(planned)})
            return
        click.echo(f"back to publication {number}:\n{plan_text(planned)}", err=not dry_run)
        if dry_run:
            return
        if not confirmed(f"Make publication {number} live again?", yes=False):
            raise click.Abort
    operations = service.operations
    with shown() as telling:
        outcome = operations.rollback(name, number, DirectStep(telling))
    if as_json:
        print_last(operations.book)
        return
    for change in outcome.changes:
        click.echo(f"{change.kind} {change.nevra}")
    click.echo(f"{outcome.state}: {outcome.message}")


@click.command()
@CONFIG
@MIRROR
@PUBLICATION
@click.option(
    "--format",
    "form",
    type=click.Choice([*exported.FORMATS]),
    default="gm",
    show_default=True,
    help="gm is for `apply --locked`, rpms.lock.yaml for Konflux and Hermeto; others are SBOMs.",
)
def lock(config: Path | None, mirror: str | None, number: int | None, form: str) -> None:
    """Print the RPMs of a publication with their checksums, as a lock file or an SBOM."""
    service = opened(config)
    name = mirror_name(service, mirror)
    click.echo(exported.text(service.mirrors, name, number, form).rstrip("\n"))


# --- what is printed ----------------------------------------------------------------------


def _warn_of_another(service: Service, session: Session) -> None:
    if owner := service.mirrors.other_service(session):
        click.echo(f"warning: another service publishes there: {owner.published}", err=True)


def _held_json(held: Held) -> dict[str, object]:
    made = asdict(held.publication) if held.publication else {}
    facts = ("update_id", "repository", "commit", "kind", "restores", "service")
    return {
        "number": held.number,
        "live": held.served,
        "published_at": held.when,
        "packages": held.packages,
        **{fact: made.get(fact) or None for fact in facts},
        "unreadable": held.unreadable or None,
    }


def _held_text(held: Held) -> str:
    commit = held.publication.commit[:12] if held.publication else ""
    live = "*" if held.served else " "
    count, at = counted(held.packages, "package"), when_written(held.when)
    words = f"{live} {held.number:>4}  {at}  {count:>15}  {commit or '-':<12}  {held.what}"
    return words.rstrip()


def _kept_json(kept: Kept) -> dict[str, object]:
    package = kept.package
    return {
        "nevra": package.nevra,
        "file": package.file,
        "size": package.size,
        "sha256": package.sha256,
        "source": package.source,
        "wanted": package.wanted,
        "live": kept.live,
        "publications": kept.publications,
        "since": kept.since,
    }


def _kept_text(kept: Kept) -> str:
    package, live = kept.package, "*" if kept.live else " "
    several = "s" if len(kept.publications) > 1 else ""
    where = f"publication{several} {kept.ranges}, since {when_written(kept.since)}"
    wanted = ", ".join(package.wanted) or "no known spec"
    return f"{live} {package.nevra}  {size_text(package.size)}  in {where}  for {wanted}"
