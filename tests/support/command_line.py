"""`gm-analytics` in this process: as the console script runs it, without its second of imports."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping

from click.testing import CliRunner

from gm_analytics.cli.commands import cli


def run(
    arguments: tuple[str, ...],
    *,
    stdin: str = "",
    environment: Mapping[str, str | None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; a defect of the program is raised."""
    umask, root = os.umask(0o022), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    hooks = threading.excepthook, sys.unraisablehook
    try:
        found = CliRunner(env=environment).invoke(cli, arguments, input=stdin)
    finally:
        os.umask(umask)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        threading.excepthook, sys.unraisablehook = hooks
        root.handlers[:] = handlers
        root.setLevel(level)
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return subprocess.CompletedProcess(arguments, found.exit_code, found.stdout, found.stderr)
