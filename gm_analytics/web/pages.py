"""The pages a person sees in a browser: values in, HTML out."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from jinja2 import Environment, PackageLoader, Template

from gm_analytics.updates.model import Record


def update_page(update_id: str, records: list[Record]) -> str:
    """Give the status page of an update."""
    return _template("update.html").render(update_id=update_id, records=records)


@lru_cache
def _template(name: str) -> Template:
    environment = Environment(loader=PackageLoader("gm_analytics.web"), autoescape=True)
    environment.filters["when"] = _when
    return environment.get_template(name)


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
