"""The command line: its commands, and what becomes of errors."""

from __future__ import annotations

import sys
from typing import Any

import click

from gm_analytics import __version__
from gm_analytics.cli import mirrors, serve, set_up, updates
from gm_analytics.errors import Exit, GmError


class Group(click.Group):
    """Turns errors of the service into lines on standard error and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except GmError as error:
            click.echo(f"gm-analytics: {error}\nhint: {error.hint}", err=True)
            sys.exit(error.code)


_CODES = "\n".join(f"{code.value:>4}  {code.meaning}" for code in Exit)


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"\b\nExit codes; standard error says the reason:\n{_CODES}",
)
@click.version_option(__version__)
def main() -> None:
    """Make the packages of a pull request installable from a private RPM mirror."""


for command in (*serve.COMMANDS, *updates.COMMANDS, *mirrors.COMMANDS, *set_up.COMMANDS):
    main.add_command(command)
