"""The lab's fixtures, shared with the integration tests."""

from tests.integration.conftest import cli, inside, service, site

__all__ = ["cli", "inside", "service", "site"]
