"""The web application: Connexion over Flask, every route in `swagger/indexer.yaml`."""

from __future__ import annotations

import json

import connexion
from connexion.exceptions import OAuthProblem
from connexion.lifecycle import ConnexionResponse

from gm_analytics.contract import specification
from gm_analytics.errors import BadSignature


def create_app() -> connexion.FlaskApp:
    """Make the application; the configuration is read when the first request comes."""
    app = connexion.FlaskApp("gm_analytics")
    app.add_api(specification())
    app.add_error_handler(OAuthProblem, _unsigned)
    return app


def _unsigned(request: object, error: Exception) -> ConnexionResponse:  # noqa: ARG001
    """Answer a delivery without a signature as one with a wrong one."""
    refusal = BadSignature()
    body = json.dumps({"command_return": "refused", "reason": str(refusal)})
    return ConnexionResponse(status_code=refusal.status, mimetype="application/json", body=body)
