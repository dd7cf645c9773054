"""The web application: Connexion over Flask, every route in `swagger/indexer.yaml`."""

from __future__ import annotations

from pathlib import Path

import connexion

SPECIFICATION = Path(__file__).parent.parent / "swagger" / "indexer.yaml"


def create_app() -> connexion.FlaskApp:
    """Make the application; the configuration is read when the first request comes."""
    app = connexion.FlaskApp("gm_analytics", specification_dir=SPECIFICATION.parent)
    app.add_api(SPECIFICATION.name, pythonic_params=True)
    return app
