"""Every command by its name; `gm-analytics` itself imports only the one that is called."""

from __future__ import annotations

import click

from gm_analytics.cli.commands import FAMILIES, cli

ALL: dict[str, click.Command] = {
    name: found
    for family in FAMILIES.values()
    for name in family
    if (found := cli.get_command(click.Context(cli), name))
}
