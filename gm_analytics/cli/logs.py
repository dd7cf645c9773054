"""The log: on standard error, a line an entry, with the one form of time."""

from __future__ import annotations

import logging
import time

_NOISY = ("paramiko", "connexion", "dbos", "fabric")


def log_to_standard_error(level: str) -> None:
    """Log from this level on; libraries that say much from `warning` on, unless it is `debug`."""
    form = logging.Formatter(
        "%(asctime)s.%(msecs)03d UTC %(levelname)s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S"
    )
    form.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(form)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.NOTSET if level == "debug" else logging.WARNING)
