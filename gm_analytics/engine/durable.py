"""DBOS, as the store of updates needs it: imported when something is put in, not to read."""

from __future__ import annotations

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, error

from gm_analytics.engine.database import NAME
from gm_analytics.engine.serializer import JSON, refuse_pickles

InUse = error.DBOSWorkflowIDInUseError
Failed = error.DBOSException


def migrate(url: str) -> None:
    """Bring DBOS's tables up to date."""
    DBOS.migrate(url)


def client(engine: sa.Engine) -> DBOSClient:
    """Give what puts workflows in.

    Raises:
        StoreUnavailable: this version of DBOS decodes in a way that is not closed.

    """
    refuse_pickles()
    return DBOSClient(
        system_database_engine=engine,
        serializer=JSON,
        retry_connection_errors=False,
        application_name=NAME,
    )
