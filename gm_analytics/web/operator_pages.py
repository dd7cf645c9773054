"""The pages of operators, put together: what `swagger/operator.yaml` names of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gm_analytics.service import Service
from gm_analytics.web import rendering
from gm_analytics.web.answers import Answer
from gm_analytics.web.asking import Asking
from gm_analytics.web.mirror_pages import MirrorPages
from gm_analytics.web.update_pages import UpdatePages


class Pages:
    """Makes all pages."""

    def __init__(self, service: Service) -> None:
        self.updates = UpdatePages(service)
        self._mirrors = MirrorPages(service)
        self._asking = Asking(service)

    @property
    def operations(self) -> dict[str, Callable[..., Any]]:
        """Give what operationIds name."""
        return {
            "file_of_pages": _file,
            **self.updates.operations,
            **self._mirrors.operations,
            **self._asking.operations,
        }


def _file(name: str) -> Answer:
    found = rendering.file(name)
    if found is None:
        return Answer(404, content_type="text/plain", body="no such file")
    headers = {"cache-control": rendering.FOREVER}
    return Answer(200, content_type=found.kind, body=found.body, headers=headers)
