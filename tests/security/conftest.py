"""Fixtures: those of the integration tests."""

from tests.integration.conftest import site

__all__ = ["site"]
