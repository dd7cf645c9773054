"""The JSON API of operators: what `engine.views` reads, and what workers are asked for."""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from connexion.lifecycle import ConnexionResponse

from gm_analytics.engine.package_history import Run
from gm_analytics.engine.search import Wanted
from gm_analytics.engine.views import Views
from gm_analytics.errors import (
    StoreUnavailable,
    UnknownUpdate,
)
from gm_analytics.rpm.package import Package
from gm_analytics.service import Service
from gm_analytics.updates.model import Record
from gm_analytics.updates.wishes import Wanted as Asked
from gm_analytics.updates.wishes import Wish
from gm_analytics.web.answers import MISSING, person
from gm_analytics.web.update_json import record_json

_LEFT_OUT = frozenset({"outcome", "error", "steps"})
"""Of an update in a list."""
Handler = Callable[..., Any]


def answered(handler: Callable[..., object]) -> Handler:
    """Give what a handler gives as JSON, and what is not there or cannot be read as it is."""

    @functools.wraps(handler)
    def answer(*args: Any, **kwargs: Any) -> ConnexionResponse:
        try:
            found = handler(*args, **kwargs)
        except MISSING as error:
            return _json(404, {"reason": str(error)})
        except StoreUnavailable as error:
            return _json(503, {"reason": str(error)})
        return found if isinstance(found, ConnexionResponse) else _json(200, found)

    return answer


def _json(status: int, body: object) -> ConnexionResponse:
    return ConnexionResponse(status, content_type="application/json", body=json.dumps(body))


class Api:
    """The operations below `/api`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @property
    def operations(self) -> dict[str, Handler]:
        """Give what operationIds name."""
        return {
            "api_overview": self.overview,
            "api_mirrors": self.mirrors,
            "api_publications": self.publications,
            "api_publication": self.publication,
            "api_diff": self.diff,
            "api_package": self.package,
            "api_updates": self.updates,
            "api_audit": self.audit,
            "api_requests": self.requests,
            "api_request": self.request,
            "api_ask": self.ask,
        }

    @property
    def _views(self) -> Views:
        return self._service.store.views

    @answered
    def overview(self) -> object:
        """Give all mirrors, and what runs, waits and failed lately."""
        found = self._views.overview()
        return {
            "mirrors": [asdict(one) for one in found.mirrors],
            "running": [_update(one) for one in found.running],
            "waiting": [_update(one) for one in found.waiting],
            "failed": [_update(one) for one in found.failed],
            "counts": found.counts,
            "workers": [asdict(one) for one in found.workforce.workers],
            "requests": [asdict(one) for one in found.wishes],
        }

    @answered
    def mirrors(self) -> object:
        """Give the mirrors as workers last saw them."""
        return {"mirrors": [asdict(one) for one in self._views.mirrors()]}

    @answered
    def publications(self, mirror: str, limit: int = 50, before: int | None = None) -> object:
        """Give publications of a mirror, the newest first."""
        self._service.settings.mirror(mirror)
        found = self._views.publications(mirror, limit, before)
        return {"publications": [asdict(one) for one in found]}

    @answered
    def publication(self, mirror: str, number: int) -> object:
        """Give a publication with its packages."""
        self._service.settings.mirror(mirror)
        found = self._views.publication(mirror, number)
        packages = [_package(one) for one in found.packages]
        return {**asdict(found.publication), "contents": packages}

    @answered
    def diff(self, mirror: str, before: int, after: int) -> object:
        """Say how two publications differ."""
        self._service.settings.mirror(mirror)
        found = self._views.diff(mirror, before, after)
        told = {"summary": found.summary, "size": found.size}
        return {**told, "changes": [asdict(one) for one in found.changes]}

    @answered
    def package(self, name: str, mirror: str | None = None, limit: int = 100) -> object:
        """Give a package's history."""
        return {"runs": [_run(one) for one in self._views.package(name, mirror, limit)]}

    @answered
    def updates(self, limit: int = 50, after: str = "", **wanted: Any) -> object:
        """Search updates."""
        found = self._views.search(Wanted(**wanted), limit, after)
        return {"updates": list(map(_update, found.updates)), "following": found.following}

    @answered
    def audit(
        self,
        limit: int = 100,
        before: int | None = None,
        mirror: str | None = None,
        update_id: str | None = None,
    ) -> object:
        """Give entries of the audit, the newest first."""
        found = self._views.audit(limit, before=before, mirror=mirror, update_id=update_id)
        return {"entries": [one.to_json() for one in found]}

    @answered
    def requests(self, limit: int = 50, update_id: str | None = None) -> object:
        """Give the newest requests first."""
        return {"requests": [asdict(one) for one in self._views.wishes(limit, update_id)]}

    @answered
    def request(self, request_id: str) -> object:
        """Give a request."""
        found = self._views.wish(request_id)
        if found is None:
            return _json(404, {"reason": f"no request has the id {request_id}"})
        return asdict(found)

    @answered
    def ask(self, body: Mapping[str, Any]) -> object:
        """Ask workers for something."""
        wanted: Asked = body["wanted"]
        known = {
            name: body[name] for name in ("publication", "expected", "reason") if name in body
        }
        if wanted == "rollback":
            if reason := _lacking(body):
                return _json(400, {"reason": reason})
            mirror, update_id = self._service.settings.mirror(body["mirror"]).name, ""
        else:
            mirror, update_id, known = self._of_update(body)
        wish_id = body.get("id") or uuid.uuid4().hex
        wish = Wish(wish_id, wanted, mirror, person(), update_id, **known)
        return _json(202, asdict(self._views.ask(wish)))

    def _of_update(self, body: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
        """Give the mirror and the id of an update that is there; may raise `UnknownUpdate`."""
        update_id = body.get("update_id", "")
        mirrors = [one.update.mirror for one in self._service.store.get(update_id)]
        mirror = body.get("mirror") or (mirrors[0] if len(mirrors) == 1 else "")
        if mirror and mirror not in mirrors:
            raise UnknownUpdate(f"{update_id} on {mirror}")
        return mirror, update_id, {"reason": body.get("reason", "")}


def _lacking(body: Mapping[str, Any]) -> str:
    lacks = [name for name in ("mirror", "publication", "expected") if not body.get(name)]
    return f"a rollback needs {', '.join(lacks)}" if lacks else ""


# --- values ----------------------------------------------------------------------------------


def _update(record: Record) -> dict[str, Any]:
    told = record_json(record, private=True)
    kept = {name: told[name] for name in told if name not in _LEFT_OUT}
    return {**kept, "author": record.update.author}


def _package(package: Package) -> dict[str, Any]:
    return {"nevra": package.nevra, **asdict(package)}


def _run(run: Run) -> dict[str, Any]:
    return {
        "mirror": run.mirror,
        "nevra": run.package.nevra,
        "wanted": run.package.wanted,
        "first": run.first,
        "last": run.last,
        "since": run.since and asdict(run.since),
        "until": run.until and asdict(run.until),
        "sha256": run.package.sha256,
    }
