"""A section of the configuration: how a web server knows who reads there (RFC 7617)."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationInfo,
    model_validator,
)

from gm_analytics import places, secret_files
from gm_analytics.secret_files import Unread
from gm_analytics.section import Section


class HttpLogin(Section):
    """A name and a password, as clients of the mirror have them."""

    username: Annotated[str, Field(pattern=r"^[!-9;-~]{1,100}$")]
    """Without a colon and blanks, which neither RFC 7617 nor repository files let through."""
    given_password: Annotated[
        str | None, Field(alias="password", pattern=r"^[!-~]{1,500}$", repr=False, exclude=True)
    ] = None
    _unread: Unread | None = PrivateAttr(default=None)

    @property
    def password(self) -> str:
        """The password.

        Raises:
            ConfigError: this account may not read it.

        """
        if self._unread:
            raise self._unread.error()
        return self.given_password or ""

    @model_validator(mode="wrap")
    @classmethod
    def _password(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(values, dict) and "password" in values:
            raise ValueError("password: expected its file alone, password_file")
        values, unread = secret_files.take(values, "mirrors.http.", "password")
        section = handler(values)
        section._unread = unread
        if unread is None and section.given_password is None:
            raise ValueError("expected password_file beside username")
        return section


def over_tls(login: HttpLogin | None, info: ValidationInfo) -> HttpLogin | None:
    """Refuse to send a password where everybody in between reads it.

    Raises:
        ValueError: the address is of plain HTTP, and not of this machine.

    """
    url = info.data.get("url")
    if login and url and url.scheme != "https" and not places.is_loopback(url.host or ""):
        raise ValueError(f"found url {url}; expected https://, since a password goes there")
    return login
