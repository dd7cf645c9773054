"""A socket that listens; uvicorn would only log why there is none."""

from __future__ import annotations

import os
import socket

from gm_analytics.errors import NotListening
from gm_analytics.places import Listen

BACKLOG = 256


def listening_on(host: str, port: int) -> socket.socket:
    """Listen.

    Raises:
        NotListening: the address cannot be listened on.

    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        said = why(error)
        raise NotListening(f"{host}:{port}", said, "--host or --port") from error


def bound(listen: Listen, key: str) -> socket.socket:
    """Listen where a key of the configuration says.

    Raises:
        NotListening: it cannot be listened on.

    """
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        return socket.create_server((listen.host, listen.port), family=family)
    except OSError as error:
        raise NotListening(str(listen), why(error), f"{key}, or off") from error


def why(error: Exception) -> str:
    """Give the system's words; Python puts the address beside them."""
    number = getattr(error, "errno", None) or 0
    return os.strerror(number) if number > 0 else getattr(error, "strerror", None) or str(error)
