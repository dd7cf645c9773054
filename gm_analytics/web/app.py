"""The web application: Connexion behind our door, every route in `swagger/indexer.yaml`."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

import connexion
from connexion.options import SwaggerUIOptions
from connexion.resolver import Resolver
from connexion.utils import get_function_from_name

from gm_analytics.contract import specification
from gm_analytics.web.bodies import Limits
from gm_analytics.web.door import Door
from gm_analytics.web.threads import Threads


def create_app(secret: Callable[[], str], limits: Limits | None = None, prefix: str = "") -> Door:
    """Make the application; `secret` gives the webhook's when a delivery comes.

    `prefix` is what a reverse proxy has before our paths, whether it takes that off or not.

    Swagger UI is left out: its page needs scripts in it, which no answer to the Internet may
    have. `connexion run swagger/indexer.yaml` has it.
    """
    app = connexion.FlaskApp("gm_analytics")
    app.add_api(
        specification(),
        resolver=Resolver(_operation),
        swagger_ui_options=SwaggerUIOptions(swagger_ui=False),
    )
    app.middleware.app.asgi_app = Threads(app.app.wsgi_app)
    return Door(app, secret, limits, prefix)


def _operation(operation_id: str) -> Callable[..., Any]:
    """Find the function of an operation; of an async one, what it is in a thread of Flask."""
    found: Callable[..., Any] = get_function_from_name(operation_id)
    if iscoroutinefunction(found):
        found = get_function_from_name(f"{operation_id}_in_thread")
    return found
