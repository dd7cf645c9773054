"""The web application: Connexion over Flask, every route in `swagger/indexer.yaml`."""

from __future__ import annotations

import json
from pathlib import Path

import connexion
from connexion.exceptions import OAuthProblem
from connexion.lifecycle import ConnexionResponse

from gm_analytics.errors import BadSignature

SPECIFICATION = Path(__file__).parents[2] / "swagger" / "indexer.yaml"


def create_app() -> connexion.FlaskApp:
    """Make the application; the configuration is read when the first request comes."""
    app = connexion.FlaskApp("gm_analytics", specification_dir=SPECIFICATION.parent)
    app.add_api(SPECIFICATION.name)
    app.add_error_handler(OAuthProblem, _unsigned)
    return app


def _unsigned(request: object, error: Exception) -> ConnexionResponse:  # noqa: ARG001
    """Answer a delivery without a signature as one with a wrong one."""
    refusal = BadSignature()
    body = json.dumps({"command_return": "refused", "reason": str(refusal)})
    return ConnexionResponse(status_code=refusal.status, mimetype="application/json", body=body)
