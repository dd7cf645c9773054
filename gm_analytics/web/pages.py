"""The page of an update: values in, HTML out."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, Template

from gm_analytics.updates.model import Record
from gm_analytics.web.protection import POLICY
from gm_analytics.web.update_json import public
from gm_analytics.wording import when

STYLE = (files("gm_analytics.web") / "templates" / "update.css").read_text(encoding="utf-8")
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
PAGE_POLICY = f"{POLICY}; style-src 'sha256-{_DIGEST}'"
"""The page's own style, and nothing else."""


def update_page(update_id: str, records: Sequence[Record]) -> str:
    """Give the status page of an update."""
    values = {"update_id": update_id, "records": [public(one) for one in records]}
    return _template("update.html").render(style=STYLE, **values)


@lru_cache
def _template(name: str) -> Template:
    environment = Environment(loader=PackageLoader("gm_analytics.web"), autoescape=True)
    environment.filters["when"] = when
    return environment.get_template(name)
