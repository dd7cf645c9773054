"""A name and a password for a web server (RFC 7617)."""

from __future__ import annotations

import base64

import requests

from gm_analytics.remote.fetch import Token


class Basic(Token):
    """Sends these with each request to the one origin that is asked."""

    def __init__(self, username: str, password: str) -> None:
        super().__init__(base64.b64encode(f"{username}:{password}".encode()).decode())

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Give the request with its header."""
        request.headers["Authorization"] = f"Basic {self._token}"
        return request
