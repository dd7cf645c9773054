"""Who may look at the pages, and change something: a section of the configuration.

Without it, whoever has an account on the web's host may, on loopback. Secrets are in files: those
that this account may not read are an error only where they are used, in the web.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    IPvAnyNetwork,
    ModelWrapValidatorHandler,
    PrivateAttr,
    model_validator,
)

from gm_analytics import secret_files
from gm_analytics.rpm import grammar
from gm_analytics.secret_files import Unread
from gm_analytics.section import Section
from gm_analytics.sections import MIN_SECRET

Scope = Literal["read", "write"]
_PRINTABLE = r"^[!-~]+$"
Name = Annotated[str, grammar.WORD.field]


class _Secret(Section):
    """Somebody with a secret; `scope` says what for."""

    SECTION: ClassVar[str]
    name: Name
    """As the audit names whoever has it."""
    scope: Scope = "read"
    given: str | None = None
    """The secret, under the name that the configuration has for it."""
    _unread: Unread | None = PrivateAttr(default=None)

    @property
    def unread(self) -> Unread | None:
        """The secret's file, where this account may not read it: the worker's need not."""
        return self._unread

    @property
    def secret(self) -> str:
        """The secret; empty where this account may not read it, which lets nobody in."""
        return self.given or ""

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        key = str(cls.model_fields["given"].alias)
        values, unread = secret_files.take(values, cls.SECTION, key)
        if isinstance(values, dict) and unread is None and not values.get(key):
            raise ValueError(f"{key}: missing; expected {key}_file, a file that holds it")
        found = handler(values)
        found._unread = unread
        return found


class Token(_Secret):
    """A token that a program sends as `Authorization: Bearer`."""

    SECTION = "operators.tokens."
    given: Annotated[
        str | None,
        Field(alias="token", min_length=MIN_SECRET, pattern=_PRINTABLE, repr=False, exclude=True),
    ] = None


class User(_Secret):
    """A person whose browser asks for a name and a password."""

    SECTION = "operators.users."
    given: Annotated[
        str | None,
        Field(alias="password", min_length=MIN_SECRET, repr=False, exclude=True),
    ] = None


class Proxy(Section):
    """A reverse proxy that signs people in, and names them in a header that it sets itself."""

    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    addresses: Annotated[list[IPvAnyNetwork], Field(min_length=1)]
    """Its own; from any other address the header is nobody's word."""
    scope: Scope = "read"


class Operators(Section):
    """Who may look, and ask for changes."""

    local: Literal["write", "read", "none"] = "write"
    """What whoever is on the web's own host may do without saying who they are."""
    tokens: list[Token] = Field(default_factory=list)
    users: list[User] = Field(default_factory=list)
    proxy: Proxy | None = None

    @property
    def let_in(self) -> bool:
        """Whether anybody from elsewhere can be told from a stranger."""
        return bool(self.tokens or self.users or self.proxy)

    @property
    def unread(self) -> list[Unread]:
        """The secrets that this account may not read."""
        return [one.unread for one in (*self.tokens, *self.users) if one.unread]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for kind in (self.tokens, self.users):
            names = [one.name for one in kind]
            if repeated := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"the same name twice: {', '.join(repeated)}")
        return self
