"""The command that exports the audit."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from gm_analytics.cli.opened import opened
from gm_analytics.cli.output import CONFIG, JSON, MIRROR
from gm_analytics.updates.audit import Entry
from gm_analytics.wording import when


def _moment(_: click.Context, __: click.Parameter, given: str | None) -> float:
    """Read a day, or a time of ISO 8601; without a zone it is UTC."""
    try:
        at = datetime.fromisoformat(given) if given else datetime.fromtimestamp(0, UTC)
    except ValueError:
        raise click.BadParameter("expected a day or a time, such as 2026-11-27T10:00Z") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


@click.command()
@CONFIG
@MIRROR
@click.option("--since", metavar="TIME", callback=_moment, help="Only from this day or time on.")
@JSON
def audit(config: Path | None, mirror: str | None, since: float, as_json: bool) -> None:
    """Print who did what to what, when and why, the oldest first; JSON is an object a line."""
    service = opened(config)
    name = service.settings.mirror(mirror).name if mirror else None
    for entry in service.store.views.audited_since(since, name):
        click.echo(json.dumps(entry.to_json()) if as_json else _text(entry))


def _text(entry: Entry) -> str:
    number = f"publication {entry.publication}" if entry.publication else ""
    words = (entry.who and f"by {entry.who}", entry.update_id, entry.origin, number)
    said = "  ".join(filter(None, words))
    return f"{when(entry.at)}  {entry.tag}  {said}\n    {entry.reason}".rstrip()
