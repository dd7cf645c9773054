"""Where `gm-analytics` begins: nothing that goes wrong shows a person a bare traceback.

What is heavy is imported inside, so that an interruption during the second of imports is met too.
"""

from __future__ import annotations

import os
import sys

_INTERRUPTED = 130
"""`errors.Exit.INTERRUPTED`, which may not be imported yet."""


def main() -> None:
    """Run the command that the arguments name; end with its exit code."""
    _open_streams()
    try:
        from gm_analytics.cli.commands import cli  # noqa: PLC0415

        cli()
    except KeyboardInterrupt:
        sys.stderr.write("gm-analytics: interrupted\n")
        sys.stderr.flush()
        os._exit(_INTERRUPTED)


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
