"""Where `gm-analytics` begins: nothing that goes wrong shows a person a bare traceback.

What is heavy is imported inside, so that an interruption during the second of imports is met too.
"""

from __future__ import annotations

import os
import sys
import warnings

from gm_analytics.cli import interruption


def main() -> None:
    """Run the command that the arguments name; end with its exit code."""
    _open_streams()
    interruption.meet()
    if not sys.warnoptions:  # libraries' warnings are for who develops
        warnings.simplefilter("ignore")
    try:
        from gm_analytics.cli.commands import cli  # noqa: PLC0415

        cli()
    except KeyboardInterrupt:
        interruption.ended()
        os._exit(interruption.CODE)
    except SystemExit:
        if interruption.asked():  # click makes a 1 of it where it is the first to meet it
            os._exit(interruption.CODE)
        raise


def _open_streams() -> None:
    """Have all three streams, and none that a character could break.

    A stream that whoever called us closed is /dev/null; what the terminal's encoding lacks, a
    lone surrogate of a foreign file's name among it, is escaped.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")
