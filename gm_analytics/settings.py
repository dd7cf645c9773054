"""The configuration: one YAML file, read once, checked as a whole.

`docs/operations.md` lists the keys. Unknown keys are errors, and every problem is reported
with its key, the value found and what was expected.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    ModelWrapValidatorHandler,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from gm_analytics import misconfigured, places, secret_files, sections
from gm_analytics.errors import ConfigError
from gm_analytics.operator_access import Operators
from gm_analytics.places import Listen
from gm_analytics.secret_files import Files
from gm_analytics.section import Section
from gm_analytics.sections import (
    GitHub,
    Jump,
    Mirror,
    Retention,
    Upstream,
    Webhook,
    Word,
)

__all__ = [
    "GitHub", "Jump", "Mirror", "Retention", "Section", "Settings", "Upstream", "Webhook", "find",
    "load",
]  # fmt: skip

ENVIRONMENT = "GM_ANALYTICS_CONFIG"
PLACE = Path("/etc/gm_analytics/config.yaml")
"""Never the current directory: it may be a stranger's checkout."""


class Settings(Section):
    """The whole file."""

    intake: Literal["webhook", "poll"] = "webhook"
    """Whether deliveries are taken, or GitHub is only looked at; then no port need be open."""
    reconcile_seconds: NonNegativeFloat = 300.0
    """Between two looks at GitHub for what no delivery told; 0 for none."""
    webhook: Webhook
    github: GitHub = GitHub()
    publish: Literal["on_pull_request", "on_merge"] = "on_pull_request"
    public_url: HttpUrl | None = None
    operator_listen: Annotated[Listen | None, BeforeValidator(places.listen)] = Listen(
        "127.0.0.1", 8081
    )
    """Where `serve` and `web` answer operators."""
    operators: Operators = Operators()
    """Who they are."""
    metrics_listen: Annotated[Listen | None, BeforeValidator(places.listen)] = Listen(
        "127.0.0.1", 8082
    )
    """Where `worker` gives its metrics; `serve` and `web` give theirs to operators."""
    database_url: Annotated[
        str,
        Field(pattern=r"^(sqlite:////|postgresql://).+", repr=False),
        AfterValidator(places.address),
    ] = "sqlite:////var/lib/gm_analytics/updates.sqlite"
    log_format: Literal["console", "json"] = "console"
    executor_id: Word | None = None
    service_id: Word | None = None
    """Who publishes, in every publication; by default the one that the database keeps."""
    retry_seconds: PositiveFloat = 2.0
    retry_attempts: PositiveInt = 6
    waiting_hours: Annotated[float, Field(ge=0, le=24 * 365)] = 24.0
    """How long an update waits for what is away, before it fails."""
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0  # that what runs has at the end
    keep_updates_days: PositiveInt = 90
    """How long an update that has ended is kept, unless a publication names it or it is the
    newest of its pull request."""
    look_seconds: NonNegativeFloat = 300.0
    """Between two looks at each mirror, for pages and metrics; after updates there is one, too.
    With 0 there is none."""
    mirrors: Annotated[list[Mirror], Field(min_length=1)]
    _files: Files | None = PrivateAttr(None)

    @property
    def files(self) -> Files | None:
        """Where it was read from, if it was."""
        return self._files

    @model_validator(mode="wrap")
    @classmethod
    def _secret_where_needed(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Want the webhook's secret only where deliveries are taken."""
        polls = isinstance(values, dict) and values.get("intake") == "poll"
        before = sections.takes_deliveries.set(not polls)
        try:
            found = handler(values)
        finally:
            sections.takes_deliveries.reset(before)
        if found.polls and not found.reconcile_seconds:
            raise ValueError("reconcile_seconds: found 0; with intake: poll expected more")
        return found

    @model_validator(mode="before")
    @classmethod
    def _database(cls, values: Any) -> Any:
        """Read the address of the database from its file: it may hold a password."""
        values, unread = secret_files.take(values, "", "database_url")
        if unread:
            raise ValueError(f"{unread}; web and worker both need it")
        return values

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        """Refuse to answer everybody."""
        for key in ("operator_listen", "metrics_listen"):
            if listen := getattr(self, key):
                places.guarded(listen, key, let_in=self.operators.let_in)
        return self

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [mirror.name for mirror in self.mirrors]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"mirrors: the same name twice: {', '.join(repeated)}")
        return self

    @model_validator(mode="after")
    def _apart(self) -> Self:
        """Refuse mirrors that would publish over each other."""
        for one, other in combinations(self.mirrors, 2):
            if one.place == other.place and places.overlap(one.root, other.root):
                raise ValueError(
                    f"mirrors: {one.name} and {other.name} are one repository: {one.root} and "
                    f"{other.root} on {one.address}:{one.port}; expected a root for each, "
                    "none inside the other"
                )
        return self

    @model_validator(mode="after")
    def _one_repository_decides(self) -> Self:
        """Refuse two repositories where one of them would take away what the other wants."""
        for mirror in self.mirrors if self.publishes_on_merge else ():
            names = [name for name in self.webhook.repositories if mirror in self.mirrors_of(name)]
            if len(names) != 1:
                raise ValueError(
                    f"mirrors: {mirror.name} takes {', '.join(names) or 'no repository'}; with "
                    "publish: on_merge expected one (mirrors[].repositories)"
                )
        return self

    def require(self, *, web: bool = False, worker: bool = False) -> None:
        """See that this account may read what a role of the service needs.

        Raises:
            ConfigError: it may not; each file is named, with its cure.

        """
        needed = [self.webhook.unread] if web and not self.polls else []
        needed += self.operators.unread if web and self.operator_listen else []
        if worker:
            keys = [
                secret_files.unread(f"mirrors.{number}.identity_file", mirror.identity_file)
                for number, mirror in enumerate(self.mirrors)
            ]
            needed += [self.github.unread, *keys]
        if problems := [str(found) for found in needed if found]:
            source = str(self.files.config) if self.files else "as this account"
            raise ConfigError(source, problems)

    @property
    def polls(self) -> bool:
        """Whether GitHub is only looked at, and no delivery is taken."""
        return self.intake == "poll"

    @property
    def prefix(self) -> str:
        """What a reverse proxy has before the service's paths: `/gm` of `https://HOST/gm`."""
        return ((self.public_url.path if self.public_url else "") or "").rstrip("/")

    @property
    def publishes_on_merge(self) -> bool:
        """Whether the live set is exactly what the merged manifest means."""
        return self.publish == "on_merge"

    def mirror(self, name: str) -> Mirror:
        """Give the mirror of that name.

        Raises:
            ConfigError: no mirror has this name.

        """
        found = [mirror for mirror in self.mirrors if mirror.name == name]
        if not found:
            known = [mirror.name for mirror in self.mirrors]
            meant = misconfigured.did_you_mean(name, known)
            said = f"found no {misconfigured.shown(name)}; expected one of {', '.join(known)}"
            raise ConfigError("mirrors", [f"{said}{meant}"])
        return found[0]

    def manifest_of(self, name: str) -> str:
        """Give where in a repository the manifest of a mirror is."""
        own = next((mirror.manifest for mirror in self.mirrors if mirror.name == name), None)
        return own or self.github.manifest

    def mirrors_of(self, repository: str) -> list[Mirror]:
        """Give the mirrors that a repository's pull requests change."""
        return [
            mirror
            for mirror in self.mirrors
            if mirror.repositories is None
            or repository.lower() in (name.lower() for name in mirror.repositories)
        ]


def find(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Give the configuration file: the one named, the environment's, or the usual one.

    Raises:
        ConfigError: it is nowhere, or the environment's depends on the directory.

    """
    if path:
        return path
    if named := environ.get(ENVIRONMENT):
        if not Path(named).is_absolute():
            raise ConfigError(f"${ENVIRONMENT}", [f"found {named!r}; expected an absolute path"])
        return Path(named)
    if not _is_there(PLACE):
        said = f"not found (looked at ${ENVIRONMENT}, {PLACE}); see docs/operations.md"
        raise ConfigError("file", [said])
    return PLACE


def _is_there(path: Path) -> bool:
    """Tell whether a file is there; where that may not be seen, opening it says why."""
    try:
        return path.exists()
    except OSError:
        return True


def load(path: Path) -> Settings:
    """Read and check a configuration file.

    Raises:
        ConfigError: it cannot be read, or keys are wrong: all of them.

    """
    text = misconfigured.text_of(path)
    try:
        # A safe loader that also refuses repeated keys.
        data = yaml.load(text, Loader=misconfigured.Loader)  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(str(path), [f"not YAML: {misconfigured.not_yaml(error)}"]) from None
    try:
        found = Settings.model_validate(data)
    except ValidationError as error:
        raise ConfigError(str(path), misconfigured.problems(error, Settings)) from error
    found._files = Files.of(path.absolute(), data)
    return found
