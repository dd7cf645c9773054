"""The sections of the configuration, each a frozen value that is strict about its keys."""

from __future__ import annotations

import re
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    ModelWrapValidatorHandler,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    field_validator,
    model_validator,
)

from gm_analytics import places, secret_files
from gm_analytics.errors import ConfigError
from gm_analytics.http_login import HttpLogin, over_tls
from gm_analytics.places import ABSOLUTE, SafeUrl
from gm_analytics.rpm import grammar
from gm_analytics.secret_files import Unread
from gm_analytics.section import Section

MIN_SECRET = 16
"""Characters."""
_PRINTABLE = r"^[!-~]+$"
HOW_TO_MAKE_ONE = (
    "make one with `openssl rand -hex 32`, give it to GitHub's webhook form and here "
    "as webhook.secret_file (or webhook.secret)"
)
takes_deliveries: ContextVar[bool] = ContextVar("takes_deliveries", default=True)
"""Whether the configuration that is being read is of a service that needs the webhook's secret."""
# Words that reach a command line on the mirror: no blank, and never like an option.
Word = Annotated[str, grammar.WORD.field]
AbsolutePath = Annotated[str, grammar.ABSOLUTE_PATH.field]
LocalPath = Annotated[Path, ABSOLUTE]
ManifestPath = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._/-]*$")]
Proxy = Annotated[str | None, BeforeValidator(places.proxy), Field(repr=False, exclude=True)]
Login = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\[\]-]{1,100}$")]
"""An account of GitHub's; that of an app ends with `[bot]`."""
Association = Literal[
    "OWNER",
    "MEMBER",
    "COLLABORATOR",
    "CONTRIBUTOR",
    "FIRST_TIMER",
    "FIRST_TIME_CONTRIBUTOR",
    "MANNEQUIN",
    "NONE",
]


class Webhook(Section):
    """Which deliveries count."""

    given_secret: Annotated[
        str | None, Field(alias="secret", min_length=MIN_SECRET, repr=False, exclude=True)
    ] = None
    repositories: Annotated[list[str], Field(min_length=1)]
    trusted_associations: list[Association] | None = None
    trusted_authors: list[Login] | None = None
    """Both narrow whose pull requests count: else all from branches of the repository do."""
    branch: str | None = None
    """The branch that the mirror follows; by default the repository's own."""
    remember_days: Annotated[int, Field(ge=30)] = 400
    """How long events are known, so that none is done twice."""
    _unread: Unread | None = PrivateAttr(default=None)

    @property
    def remember_seconds(self) -> float:
        """The same in seconds."""
        return self.remember_days * 86_400.0

    @property
    def secret(self) -> str:
        """What deliveries are signed with.

        Raises:
            ConfigError: this account may not read it, or there is none (`intake: poll`).

        """
        if self._unread:
            raise self._unread.error()
        if not self.given_secret:
            raise ConfigError("webhook", [f"no secret: {HOW_TO_MAKE_ONE}"])
        return self.given_secret

    @property
    def unread(self) -> Unread | None:
        """The secret's file, where this account may not read it: the worker's need not."""
        return self._unread

    @model_validator(mode="wrap")
    @classmethod
    def _secret(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        values, unread = secret_files.take(values, "webhook.", "secret")
        has_none = isinstance(values, dict) and not values.get("secret") and unread is None
        if has_none and takes_deliveries.get():
            raise ValueError(f"no secret: {HOW_TO_MAKE_ONE}")
        section = handler(values)
        section._unread = unread
        return section

    @field_validator("repositories")
    @classmethod
    def _full_names(cls, names: list[str]) -> list[str]:
        if wrong := [name for name in names if name.count("/") != 1]:
            raise ValueError(f"expected owner/name, found {', '.join(wrong)}")
        return names


def _text(given: Any) -> Any:
    """Take a number for the text that it is in YAML without quotes."""
    return str(given) if isinstance(given, int) and not isinstance(given, bool) else given


AppId = Annotated[str, BeforeValidator(_text), Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class GitHub(Section):
    """Where the manifest is read and statuses are written."""

    api_url: SafeUrl = HttpUrl("https://api.github.com")
    raw_url: SafeUrl = HttpUrl("https://raw.githubusercontent.com")
    # Printable: requests would repeat a token that cannot be a header in its error.
    given_token: Annotated[
        str | None, Field(alias="token", pattern=_PRINTABLE, repr=False, exclude=True)
    ] = None
    app_id: AppId | None = None
    """Of a GitHub App, in place of a token: its application or its client ID."""
    given_private_key: Annotated[
        str | None, Field(alias="private_key", repr=False, exclude=True)
    ] = None
    ca_file: LocalPath | None = None
    """Certificates of who signed an Enterprise Server's, in place of the usual authorities."""
    proxy: Proxy = None
    """By which GitHub is asked, or `none`; by default the environment's."""
    manifest: ManifestPath = "packages.json"
    timeout: PositiveFloat = 10.0

    _unread: Unread | None = PrivateAttr(default=None)
    _files: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def has_token(self) -> bool:
        """Whether the service can say who it is, by a token or as an app; anybody may know."""
        return self.has_app or self.given_token is not None or self._unread is not None

    @property
    def has_app(self) -> bool:
        """Whether it is a GitHub App."""
        return self.app_id is not None

    def token_again(self) -> str | None:
        """Read the token's file again; None if there is none, or it has no token now."""
        found = secret_files.again(self._files.get("token_file"))
        return found if found and re.fullmatch(_PRINTABLE, found) else None

    def private_key(self) -> str:
        """Give the app's private key, as its file has it now.

        Raises:
            ConfigError: this account may not read it.

        """
        if self._unread:
            raise self._unread.error()
        again = secret_files.again(self._files.get("private_key_file"))
        return again or self.given_private_key or ""

    @property
    def token(self) -> str | None:
        """The token, if there is one.

        Raises:
            ConfigError: this account may not read it.

        """
        if self._unread:
            raise self._unread.error()
        return self.given_token

    @property
    def unread(self) -> Unread | None:
        """The token's file, where this account may not read it: the web's need not."""
        return self._unread

    @model_validator(mode="wrap")
    @classmethod
    def _token(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(values, dict):
            return handler(values)
        files = {key: values.get(key) for key in ("token_file", "private_key_file")}
        if "private_key" in values:
            raise ValueError("private_key: expected its file alone, private_key_file")
        values, token = secret_files.take(values, "github.", "token")
        values, key = secret_files.take(values, "github.", "private_key")
        section = handler(values)
        section._unread, section._files = token or key, files
        has_key = key is not None or section.given_private_key is not None
        if section.has_app != has_key:
            raise ValueError("app_id and private_key_file: expected both, or neither")
        if section.has_app and (token or section.given_token is not None):
            raise ValueError("expected a token, or app_id and private_key_file, not both")
        return section


class Upstream(Section):
    """Where a mirror's packages come from, and for which system they are solved."""

    reposdir: AbsolutePath = "/etc/yum.repos.d"
    releasever: Word
    arch: Word | None = None
    module_platform_id: Word | None = None
    weak_dependencies: bool = False
    signatures: Literal["upstream", "required", "off"] = "upstream"
    max_age: Annotated[int, Field(ge=0)] = 600
    withdrawn: Literal["follow", "keep"] = "follow"
    """What becomes of a live package that upstream has no more, where a set is exact."""


class Retention(Section):
    """How much of its past a mirror keeps."""

    publications: PositiveInt = 10
    days: Annotated[int, Field(ge=0)] = 30
    preview_days: PositiveInt = 30


class Jump(Section):
    """The bastion through which a mirror's host is reached; what is not given is the mirror's."""

    host: Annotated[str, Field(min_length=1)]
    port: PositiveInt = 22
    user: Word | None = None
    identity_file: LocalPath | None = None
    known_hosts: LocalPath | None = None


class Mirror(Section):
    """One RPM repository on one host reached over SSH."""

    name: Word
    host: str = ""
    port: PositiveInt = 22
    user: Word = "mirror"
    identity_file: LocalPath
    known_hosts: LocalPath
    jump: Jump | None = None
    root: AbsolutePath = "/var/repo"
    url: HttpUrl
    proxy: Proxy = None
    ca_file: LocalPath | None = None
    """These two as GitHub's, for the address."""
    http: Annotated[HttpLogin | None, AfterValidator(over_tls)] = None
    """How clients log in there, if the web server asks for it."""
    repositories: list[str] | None = None
    manifest: ManifestPath | None = None
    upstream: Upstream
    grace_minutes: PositiveInt = 60
    retention: Retention = Retention()
    disk_reserve: Annotated[int, Field(ge=0)] = 256 * 1024 * 1024
    command_timeout: PositiveInt = 1800
    helper: AbsolutePath | None = None
    signing_home: LocalPath | None = None
    """GnuPG's directory with the key that signs the metadata, on the service's host."""
    signing: Annotated[Literal["on", "off"], BeforeValidator(places.word)] = "on"
    """`off` is to publish without a signature what had one before."""
    filelists: bool = False
    """Whether all clients read filelists, so that packages may need any file of others."""

    @property
    def key_home(self) -> Path | None:
        """The signing key's directory, if metadata is signed."""
        return self.signing_home if self.signing == "on" else None

    @property
    def address(self) -> str:
        """The host to connect to."""
        return self.host or self.name

    @property
    def place(self) -> tuple[str, int]:
        """The host and the port, as they are compared."""
        return places.canonical_host(self.address), self.port

    @property
    def base_url(self) -> str:
        """The repository's address, with its last slash."""
        return str(self.url).rstrip("/") + "/"
