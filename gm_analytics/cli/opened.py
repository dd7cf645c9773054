"""The service that a command works with."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from gm_analytics.cli.logs import hide_secrets_of
from gm_analytics.service import Service


def opened(config: Path | None) -> Service:
    """Compose it; its store is closed with the command, if that opened it.

    Raises:
        ConfigError: the configuration cannot be used.

    """
    service = Service.from_file(config)
    hide_secrets_of(service.settings)
    click.get_current_context().call_on_close(partial(_close, service))
    return service


def _close(service: Service) -> None:
    if store := vars(service).get("store"):
        store.close()
