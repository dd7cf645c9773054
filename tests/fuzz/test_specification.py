"""The real application against its specification: schemathesis makes the requests."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import connexion
import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gm_analytics import handlers
from gm_analytics.updates.model import Update
from gm_analytics.web.app import SPECIFICATION, create_app
from tests.security.doors import SECRET, signature, using

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 500 if os.environ.get("FUZZ") == "long" else 25
