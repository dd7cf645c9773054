"""The command line: its commands, and what becomes of errors."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from gm_analytics import __version__
from gm_analytics.cli import interruption
from gm_analytics.cli.logs import log_to_standard_error
from gm_analytics.cli.output import CONFIG_FILE
from gm_analytics.errors import Exit, GmError, LocalFault, Unexpected

FAMILIES = {
    "Run the service": dict.fromkeys(("serve", "web", "worker"), "serve"),
    "Updates": dict.fromkeys(("plan", "apply", "updates", "retry", "cancel", "replay"), "updates"),
    "Look at mirrors": {
        **dict.fromkeys(("publications", "packages", "diff", "lock"), "publications"),
        "status": "mirrors",
        "audit": "audit",
    },
    "Change mirrors": {
        "rollback": "publications",
        **dict.fromkeys(("gc", "repair", "adopt", "takeover"), "mirrors"),
        **dict.fromkeys(("remove", "accept-change"), "changes"),
    },
    "Set up": {
        "init": "init",
        "client": "client",
        "mirror-setup": "mirror_setup",
        "webhook": "webhook",
        "tunnel": "tunnel",
        **dict.fromkeys(("check", "key", "forget", "completion"), "set_up"),
    },
}
"""The commands by family, each with the module of this room that has it."""
_HOME = {name: module for family in FAMILIES.values() for name, module in family.items()}


class Group(click.Group):
    """Imports the command that is called; turns errors into a line or two, and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands."""
        return sorted({*_HOME, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Give a command, None if there is none of this name."""
        if cmd_name in _HOME and cmd_name not in self.commands:
            home = import_module(f"gm_analytics.cli.{_HOME[cmd_name]}")
            self.add_command(getattr(home, cmd_name.replace("-", "_")))
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise  # click says them itself
        except KeyboardInterrupt:
            _interrupted()
        except Exception as error:
            if interruption.asked():  # what was at hand met its end
                _interrupted()
            if ctx.params["debug"] and not isinstance(error, GmError | OSError):
                raise
            _end(error)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands of each family under its heading."""
        width = formatter.width - 6 - max(map(len, _HOME))
        for title, family in FAMILIES.items():
            found = [(name, self.get_command(ctx, name)) for name in family]
            with formatter.section(title):
                formatter.write_dl(
                    [(name, one.get_short_help_str(width)) for name, one in found if one]
                )


def _interrupted() -> NoReturn:
    _drop_output()
    interruption.ended()
    sys.exit(interruption.CODE)


def _end(error: Exception) -> NoReturn:
    _drop_output()
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        sys.exit(Exit.FAILED)  # whoever read has gone: there is nobody to tell
    told = _told(error)
    hint = "" if told.brief else f"\nhint: {told.hint}"
    click.echo(f"gm-analytics: {told.lines}{hint}", err=True)
    sys.exit(told.code)


def _told(error: Exception) -> GmError:
    if isinstance(error, GmError):
        return error
    if isinstance(error, OSError):
        return LocalFault.of(error)
    return Unexpected(type(error).__name__, _first_line(error), _kept(error))


_CODES = "\n".join(f"{code.value:>4}  {code.meaning}" for code in Exit)
_LEVELS = ("debug", "info", "warning", "error")


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"\b\nExit codes; standard error says the reason:\n{_CODES}",
)
@click.version_option(__version__)
@click.option("--config", type=CONFIG_FILE, help="Configuration file, for any command.")
@click.option("--debug", is_flag=True, help="Show the whole trace of a defect of this program.")
@click.option(
    "--log-level",
    type=click.Choice(_LEVELS, case_sensitive=False),
    help="What is logged, on standard error; by default info of what serves, else warning.",
)
@click.pass_context
def cli(ctx: click.Context, config: Path | None, debug: bool, log_level: str | None) -> None:
    """Make the packages of a pull request installable from a private RPM mirror."""
    _ = config, debug  # `output` and `Group.invoke` read them
    if log_level:
        log_to_standard_error(log_level)
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        ctx.color = False


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _drop_output() -> None:
    """Send what is still to be written nowhere, or Python would try it again at its end."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)


def _kept(error: Exception) -> str:
    """Keep a defect's trace in a file that only this account can read; give its path."""
    try:
        handle, path = tempfile.mkstemp(prefix="gm-analytics-", suffix=".trace")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError:
        return ""
    return path
