"""What the commands of the command line share: options, and how results are printed."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click
from click.shell_completion import CompletionItem

from gm_analytics import settings
from gm_analytics.cli import interruption
from gm_analytics.operations.findings import Finding, Severity
from gm_analytics.operations.listed import Book
from gm_analytics.rpm.advisories import Advice
from gm_analytics.rpm.changes import Plan, size_text
from gm_analytics.updates.model import Update
from gm_analytics.web.update_json import record_json

if TYPE_CHECKING:
    from gm_analytics.service import Service

Command = TypeVar("Command", bound=Callable[..., Any])
_NAMED = "gm_analytics.mirror"
"""Where a click context keeps the mirror that was named by an argument."""


def _given_before(ctx: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
    """Take the configuration that was named before the command, unless it is named behind it."""
    before: Path | None = ctx.find_root().params.get("config")
    return value or before


def _keep_named(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    ctx.meta[_NAMED] = value


def _mirrors(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete a mirror's name; whatever is wrong with the configuration, nothing is said."""
    with suppress(Exception):
        path = ctx.params.get("config") or ctx.find_root().params.get("config")
        names = [mirror.name for mirror in settings.load(settings.find(path)).mirrors]
        return [CompletionItem(name) for name in names if name.startswith(begun)]
    return []


def _refuse_mirror(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise click.UsageError(f"--mirror: {ctx.info_name} is about no mirror in particular")


CONFIG_FILE = click.Path(dir_okay=False, path_type=Path)
CONFIG = click.option(
    "--config",
    type=CONFIG_FILE,
    callback=_given_before,
    help="Configuration file; else $GM_ANALYTICS_CONFIG or /etc/gm_analytics/config.yaml.",
)
MIRROR = click.option(
    "--mirror",
    metavar="NAME",
    shell_complete=_mirrors,
    help="Name of the mirror; needed if there are several.",
)
NO_MIRROR = click.option(
    "--mirror", hidden=True, expose_value=False, callback=_refuse_mirror, metavar="NAME"
)
"""Of commands that are about none in particular: they say so."""
FILE = click.argument("file", type=click.File("rb"))
YES = click.option("--yes", is_flag=True, help="Do not ask.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

_COLOURS: dict[Severity, str] = {
    "ok": "green",
    "warn": "yellow",
    "fail": "red",
    "unknown": "yellow",
}


def named(command: Command) -> Command:
    """Take a mirror's name with --mirror, as all commands do, or as the argument."""
    argument = click.argument(
        "named",
        metavar="[MIRROR]",
        required=False,
        expose_value=False,
        callback=_keep_named,
        shell_complete=_mirrors,
    )
    return argument(MIRROR(command))


def print_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=2))


def print_last(book: Book) -> None:
    """Print what was done by hand just now as JSON, as `updates` lists it."""
    if book.last:
        print_json(record_json(book.last, private=True))


def finding_text(found: Finding, bad: str = "FAIL") -> str:
    """Give a line: how it is, what was looked at, the fact, and what to do."""
    marks: dict[Severity, str] = {"ok": "ok  ", "warn": "warn", "fail": bad, "unknown": "?   "}
    mark = click.style(marks[found.severity], fg=_COLOURS[found.severity])
    return f"{mark} {found.text}"


def content(file: BinaryIO, most: int) -> bytes:
    """Read a file that was named on the command line, of at most `most` bytes.

    Raises:
        click.UsageError: it is larger.

    """
    found = file.read(most + 1)
    if len(found) > most:
        raise click.UsageError(f"{name_of(file)}: larger than {most:,} bytes")
    return found


def name_of(file: BinaryIO) -> str:
    """Give the name of a file that was named on the command line, as a person knows it."""
    name = getattr(file, "name", "<stdin>")
    return "standard input" if name == "<stdin>" else str(name)


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask a person, unless the answer was given with --yes.

    Raises:
        click.UsageError: there is no terminal, so nobody can answer.

    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise click.UsageError("standard input is no terminal, so nobody is asked: give --yes")
    try:
        return click.confirm(question, err=True)
    except click.Abort:  # Ctrl-C, or the end of the input
        if interruption.asked():
            raise KeyboardInterrupt from None
        click.echo(err=True)
        return False


def chosen(name: str | None) -> str | None:
    """Give the mirror that was named, by --mirror or by the argument.

    Raises:
        click.UsageError: by both, and they differ.

    """
    context = click.get_current_context(silent=True)
    argument: str | None = context.meta.get(_NAMED) if context else None
    if name and argument and name != argument:
        raise click.UsageError(f"--mirror {name} and {argument}: give one of the two")
    return name or argument


def mirror_name(service: Service, given: str | None) -> str:
    """Give the mirror that is meant: the one that is named, or the only one."""
    mirrors, name = service.settings.mirrors, chosen(given)
    if name is None and len(mirrors) > 1:
        raise click.UsageError("--mirror: one of " + ", ".join(mirror.name for mirror in mirrors))
    return service.settings.mirror(name or mirrors[0].name).name


def command_of(update: Update) -> str:
    """Name the command that a person gave: the id of what it made begins with it."""
    return update.id[: -len(f"-{uuid.UUID(int=0)}")] or update.aim.word


def advice_text(advice: Advice) -> str:
    """Give the line of an advisory that a change brings."""
    said = " ".join(filter(None, (advice.severity, advice.kind)))
    cves = f": {', '.join(advice.cves)}" if advice.cves else ""
    return f"advisory   {advice.id}  {said}{cves}  in {', '.join(advice.packages)}"


def plan_text(found: Plan) -> str:
    """Give a line a change, and the totals."""
    warnings = [f"warning: {warning}" for warning in found.warnings]
    if not found.changes:
        return "\n".join([*warnings, "nothing would change"])
    lines = [
        f"{change.kind:<10} {change.nevra}  {size_text(change.size)}  from {change.source}"
        + (f"  (now {change.before})" if change.before else "")
        for change in found.changes
    ]
    lines += map(advice_text, found.advisories)
    return "\n".join([*lines, *warnings, f"{found.summary}; {size_text(found.size)} new"])
