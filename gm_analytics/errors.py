"""Every error the service raises: one root, each subclass carries its data.

An error says what was being done, to what, and what came back. Only the outermost layer
(an HTTP reply, an exit code, a commit status) turns one into something else. Errors travel
through the durable store as JSON, hence `to_json` and `from_json`.
"""

from __future__ import annotations

import dataclasses
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(eq=False)
class GmError(Exception):
    """The root. `transient` says whether doing the same again later may succeed."""

    transient: ClassVar[bool] = False

    @property
    def public(self) -> str:
        """What strangers may read: no argv, path, host, account or database of the inside.

        `str()` is for the log and the operator's terminal, and keeps everything.
        """
        return "an error inside the service; its log says more"

    def to_json(self) -> dict[str, Any]:
        """Give the error's name and data as JSON values."""
        return {"error": type(self).__name__, **dataclasses.asdict(self)}

    @staticmethod
    def from_json(data: dict[str, Any]) -> GmError:
        """Make the error that `to_json` described; unknown names and data give `Unexpected`."""
        fields = dict(data)
        name = str(fields.pop("error", ""))
        for cls in _subclasses(GmError):
            if cls.__name__ == name:
                with suppress(TypeError):  # stored by a version whose fields were others
                    return cls(**fields)
        return Unexpected(name, str(fields.get("message", fields)))

    @classmethod
    def wrap(cls, error: BaseException) -> GmError:
        """Give an error of ours as it is, any other as `Unexpected`."""
        return (
            error if isinstance(error, GmError) else Unexpected(type(error).__name__, str(error))
        )


@dataclass(eq=False)
class TransientError(GmError):
    """One that time may cure: a network fault, a 5xx, a lock that somebody holds."""

    transient: ClassVar[bool] = True


@dataclass(eq=False)
class Unexpected(GmError):
    """An error that is not ours: a defect of the service."""

    kind: str
    message: str

    def __str__(self) -> str:
        return f"unexpected {self.kind}: {self.message}"

    @property
    def public(self) -> str:
        """The kind alone."""
        return f"an error inside the service ({self.kind[:40]}); its log says more"


@dataclass(eq=False)
class ConfigError(GmError):
    """The configuration cannot be used; every problem is named."""

    source: str
    problems: list[str]

    def __str__(self) -> str:
        return f"configuration {self.source}: " + "; ".join(self.problems)

    @property
    def public(self) -> str:
        """Nothing of what is configured."""
        return "the service's configuration cannot be used; its log says more"


@dataclass(eq=False)
class UnsafeFiles(ConfigError):
    """Others can change what the service relies on, or read its secrets; every cure is named."""

    def __str__(self) -> str:
        found = "\n  ".join(self.problems)
        return f"configuration {self.source}: files that others can change or read:\n  {found}"


@dataclass(eq=False)
class Malformed(GmError):
    """Foreign text that is not what it should be; `found` is escaped and cut."""

    expected: str
    found: str

    def __str__(self) -> str:
        return f"found {self.found}; expected {self.expected}"


# --- deliveries -------------------------------------------------------------------------


@dataclass(eq=False)
class DeliveryError(GmError):
    """A delivery that is refused; `status` is the HTTP status of the reply."""

    status: ClassVar[int] = 400
    reason: str

    def __str__(self) -> str:
        return self.reason

    @property
    def public(self) -> str:
        """All of it: it is about what the sender sent."""
        return self.reason


@dataclass(eq=False)
class BadSignature(DeliveryError):
    """No signature, or not ours. The sender learns no more than that."""

    status: ClassVar[int] = 401
    reason: str = "signature missing or wrong"


@dataclass(eq=False)
class BadDelivery(DeliveryError):
    """Signed, but not what GitHub sends; names the field."""


@dataclass(eq=False)
class UnsupportedMediaType(DeliveryError):
    """Neither of the two content types that GitHub can be set to."""

    status: ClassVar[int] = 415


@dataclass(eq=False)
class DeliveryTooLarge(DeliveryError):
    """More than GitHub ever sends."""

    status: ClassVar[int] = 413


@dataclass(eq=False)
class DeliveryIncomplete(DeliveryError):
    """The sender went away before its body was whole."""

    reason: str = "body: incomplete"


@dataclass(eq=False)
class DeliveryTooSlow(DeliveryError):
    """The body did not arrive in the time that GitHub waits for an answer."""

    status: ClassVar[int] = 408
    reason: str = "body: not there in time"


@dataclass(eq=False)
class TooManyDeliveries(DeliveryError):
    """More bodies at once than there is room for."""

    transient: ClassVar[bool] = True
    status: ClassVar[int] = 503
    reason: str = "too many deliveries at once"


# --- manifest ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """What is wrong at one place of a manifest."""

    where: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.where}: found {self.found}; expected {self.expected}"


@dataclass(eq=False)
class ManifestError(GmError):
    """The manifest cannot be used; all its problems at once."""

    problems: list[Problem]

    def __post_init__(self) -> None:
        self.problems = [p if isinstance(p, Problem) else Problem(**p) for p in self.problems]

    def __str__(self) -> str:
        return "packages.json: " + "; ".join(map(str, self.problems))

    @property
    def public(self) -> str:
        """All of it: the author wrote what it names."""
        return str(self)


# --- GitHub -----------------------------------------------------------------------------


@dataclass(eq=False)
class GitHubError(GmError):
    """GitHub said no, and will say so again."""

    doing: str
    status: int
    message: str

    def __str__(self) -> str:
        return f"GitHub: {self.doing}: {self.status} {self.message}".rstrip()

    @property
    def public(self) -> str:
        """Without addresses."""
        return f"GitHub: {redact(self.doing)}: {self.status} {redact(self.message)}".rstrip()


@dataclass(eq=False)
class GitHubUnavailable(TransientError):
    """GitHub could not answer, or asked to be called later (`retry_after` in seconds)."""

    doing: str
    message: str
    retry_after: float | None = None

    def __str__(self) -> str:
        later = f" (asked to wait {self.retry_after:g} s)" if self.retry_after else ""
        return f"GitHub: {self.doing}: {self.message}{later}"

    @property
    def public(self) -> str:
        """Without the address that was tried."""
        return f"GitHub: {redact(self.doing)}: no answer for now"


# --- mirror -----------------------------------------------------------------------------


@dataclass(eq=False)
class MirrorUnreachable(TransientError):
    """No SSH session could be had, or it broke."""

    mirror: str
    message: str

    def __str__(self) -> str:
        return f"mirror {self.mirror}: opening an SSH session: {self.message}"

    @property
    def public(self) -> str:
        """Without host, account and cause."""
        return f"mirror {self.mirror}: opening an SSH session: not possible for now"


@dataclass(eq=False)
class HostKeyRefused(GmError):
    """The mirror's host key is not the one that known_hosts has."""

    mirror: str
    message: str

    def __str__(self) -> str:
        return f"mirror {self.mirror}: host key refused: {self.message}"

    @property
    def public(self) -> str:
        """Without host and keys."""
        return f"mirror {self.mirror}: opening an SSH session: host key refused"


@dataclass(eq=False)
class AnotherService(GmError):
    """Another service publishes on the mirror; `published` says what and when."""

    mirror: str
    published: str
    service: str
    """This one."""

    def __str__(self) -> str:
        return (
            f"mirror {self.mirror}: another service publishes there: {self.published}. This is "
            f"service {self.service}; to publish from here: gm-analytics takeover {self.mirror}"
        )

    @property
    def public(self) -> str:
        """Without which, and of what."""
        return f"mirror {self.mirror}: another service publishes there"


@dataclass(eq=False)
class LockHeld(TransientError):
    """Another writer has the mirror's lock."""

    mirror: str
    path: str

    def __str__(self) -> str:
        return f"mirror {self.mirror}: locking {self.path}: another update holds it"

    @property
    def public(self) -> str:
        """Without the path."""
        return f"mirror {self.mirror}: locking it: another update holds the lock"


_CRASHES = {134: "SIGABRT", 135: "SIGBUS", 136: "SIGFPE", 139: "SIGSEGV"}
"""What a shell makes of a program's end by one of its own faults: 128 and the signal."""


@dataclass(eq=False)
class CommandFailed(GmError):
    """A command on the mirror failed; carries its exit code and the end of its output."""

    mirror: str
    doing: str
    argv: list[str]
    exit_code: int
    output: str

    def __str__(self) -> str:
        said = self.output.strip() or "no output"
        crash = _CRASHES.get(self.exit_code)
        told = f" ({crash}: the program itself crashed)" if crash else ""
        return f"mirror {self.mirror}: {self.doing}: exit code {self.exit_code}{told}: {said}"

    @property
    def public(self) -> str:
        """Without paths, argv and output, which may say anything."""
        return f"mirror {self.mirror}: {redact(self.doing)}: exit code {self.exit_code}"


@dataclass(eq=False)
class CommandTimedOut(TransientError):
    """A command on the mirror took too long and was stopped there."""

    mirror: str
    doing: str
    seconds: float

    def __str__(self) -> str:
        return f"mirror {self.mirror}: {self.doing}: no end after {self.seconds:g} s"

    @property
    def public(self) -> str:
        """Without paths."""
        return f"mirror {self.mirror}: {redact(self.doing)}: no end after {self.seconds:g} s"


@dataclass(eq=False)
class OutputTooLarge(GmError):
    """What came from the mirror is more than the service takes. `limit` in bytes."""

    mirror: str
    doing: str
    limit: int

    def __str__(self) -> str:
        return f"mirror {self.mirror}: {self.doing}: more than {self.limit:,} bytes came"

    @property
    def public(self) -> str:
        """Without paths."""
        return f"mirror {self.mirror}: {redact(self.doing)}: more than {self.limit:,} bytes came"


@dataclass(eq=False)
class UpstreamUnavailable(TransientError):
    """The package manager could not fetch from an upstream repository."""

    mirror: str
    doing: str
    message: str

    def __str__(self) -> str:
        return f"mirror {self.mirror}: {self.doing}: {self.message}"

    @property
    def public(self) -> str:
        """The kind of fault, without the upstream's address."""
        return f"mirror {self.mirror}: {redact(self.doing)}: {_network(self.message)}"


@dataclass(eq=False)
class ToolsMissing(GmError):
    """The mirror lacks a program that an update needs."""

    mirror: str
    missing: list[str]

    def __str__(self) -> str:
        return f"mirror {self.mirror}: not installed: {', '.join(self.missing)}"

    @property
    def public(self) -> str:
        """All of it: it names nothing of the inside."""
        return str(self)


def _placed(spec: str, places: dict[str, str]) -> str:
    return f"{spec} at {places[spec]}" if spec in places else spec


@dataclass(eq=False)
class UnknownPackages(GmError):
    """Upstream has no package of these names: all of them, with near matches if any.

    `places` says where in the manifest each is, as far as there is one.
    """

    mirror: str
    specs: list[str]
    near: dict[str, list[str]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"mirror {self.mirror}: resolving {', '.join(self.specs)}: " + "; ".join(
            f"No match for argument: {_placed(spec, self.places)}" + self._near(spec)
            for spec in self.specs
        )

    def _near(self, spec: str) -> str:
        names = self.near.get(spec)
        return f" (did you mean {', '.join(names)}?)" if names else ""

    @property
    def public(self) -> str:
        """All of it: the author's words, and upstream's names."""
        return str(self)


@dataclass(eq=False)
class Unresolvable(GmError):
    """The packages exist, but what they need does not, or it conflicts: yum's words.

    `places` says where in the manifest they are, as far as there is one.
    """

    mirror: str
    specs: list[str]
    words: str
    places: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        specs = ", ".join(_placed(spec, self.places) for spec in self.specs)
        return f"mirror {self.mirror}: resolving {specs}: {self.words}"

    @property
    def public(self) -> str:
        """Yum's words without the mirror's paths and addresses."""
        specs = ", ".join(_placed(spec, self.places) for spec in self.specs)
        return f"mirror {self.mirror}: resolving {specs}: {redact(self.words)}"


@dataclass(eq=False)
class DiskFull(GmError):
    """The mirror's disk would not hold the download. Sizes in bytes."""

    mirror: str
    path: str
    needed: int
    free: int

    def __str__(self) -> str:
        return (
            f"mirror {self.mirror}: downloading to {self.path}: "
            f"{self.needed:,} bytes needed, {self.free:,} free"
        )

    @property
    def public(self) -> str:
        """Without the path, and how much there is."""
        return f"mirror {self.mirror}: downloading: {self.needed:,} bytes needed, too few are free"


@dataclass(eq=False)
class BytesDiffer(GmError):
    """The pool holds these file names with other bytes; publishing them would poison caches."""

    mirror: str
    files: list[str]

    def __str__(self) -> str:
        names = ", ".join(self.files)
        return (
            f"mirror {self.mirror}: adding {names}: the pool has the same NEVRA with other bytes"
        )

    @property
    def public(self) -> str:
        """All of it: it names nothing of the inside."""
        return str(self)


@dataclass(eq=False)
class BadPackages(GmError):
    """Downloaded files that are damaged or whose signature is refused."""

    mirror: str
    words: str

    def __str__(self) -> str:
        return f"mirror {self.mirror}: checking downloaded packages: {self.words}"

    @property
    def public(self) -> str:
        """The program's words without the mirror's paths and addresses."""
        return f"mirror {self.mirror}: checking downloaded packages: {redact(self.words)}"


@dataclass(eq=False)
class BadAnswer(GmError):
    """The mirror printed something else than what was asked for."""

    mirror: str
    doing: str
    message: str

    def __str__(self) -> str:
        return f"mirror {self.mirror}: {self.doing}: {self.message}"

    @property
    def public(self) -> str:
        """Without what it printed."""
        return f"mirror {self.mirror}: {redact(self.doing)}: not the answer that was asked for"


@dataclass(eq=False)
class NotInstallable(GmError):
    """The candidate repository alone cannot install these specs: yum's words."""

    mirror: str
    specs: list[str]
    words: str

    def __str__(self) -> str:
        return (
            f"mirror {self.mirror}: proving that a client can install "
            f"{', '.join(self.specs)}: {self.words}"
        )

    @property
    def public(self) -> str:
        """Yum's words without the mirror's paths and addresses."""
        specs = ", ".join(self.specs)
        said = redact(self.words)
        return f"mirror {self.mirror}: proving that a client can install {specs}: {said}"


@dataclass(eq=False)
class SigningFailed(GmError):
    """The mirror's key is missing, cannot be used, or did not sign."""

    home: str
    doing: str
    message: str

    def __str__(self) -> str:
        return f"signing key in {self.home}: {self.doing}: {self.message}"

    @property
    def public(self) -> str:
        """Without the directory and gpg's words."""
        return f"signing the metadata: {redact(self.doing)}: failed; the service's log says more"


@dataclass(eq=False)
class MetadataForged(GmError):
    """Metadata on the mirror says something else than the service knows: it does not sign it."""

    mirror: str
    file: str
    found: str
    expected: str

    def __str__(self) -> str:
        return (
            f"mirror {self.mirror}: comparing {self.file} with what is published: "
            f"found {self.found}; expected {self.expected}; nothing was signed"
        )

    @property
    def public(self) -> str:
        """Without what it says."""
        return f"mirror {self.mirror}: its metadata say something else: nothing was signed"


@dataclass(eq=False)
class Untrusted(GmError):
    """What a mirror with a key holds is not what this service signed: nothing is built on it."""

    mirror: str
    what: str
    reason: str

    def __str__(self) -> str:
        return (
            f"mirror {self.mirror}: reading {self.what}: {self.reason}. Nothing is built on it. "
            "Find out who changed it; to trust the mirror once more as it is now, run "
            f"`gm-analytics adopt {self.mirror}`"
        )

    @property
    def public(self) -> str:
        """Without what was changed."""
        return f"mirror {self.mirror}: it holds what this service did not sign; nothing was built"


@dataclass(eq=False)
class FileTooLarge(GmError):
    """A file on the mirror is larger than any that belongs there, or no file at all."""

    mirror: str
    path: str
    most: int

    def __str__(self) -> str:
        return (
            f"mirror {self.mirror}: reading {self.path}: expected a file of at most "
            f"{self.most:,} bytes"
        )

    @property
    def public(self) -> str:
        """Without the path."""
        return f"mirror {self.mirror}: reading a file: larger than it may be, or no file"


@dataclass(eq=False)
class Overtaken(GmError):
    """Another writer published while a candidate was being built on the older set.

    Doing the same step again would not help: the candidate has to be built anew.
    """

    mirror: str
    base: str
    live: str

    def __str__(self) -> str:
        return f"mirror {self.mirror}: publishing: built on {self.base}, but {self.live} is live"

    @property
    def public(self) -> str:
        """Without paths and addresses."""
        return redact(str(self))


@dataclass(eq=False)
class UnknownPublication(GmError):
    """The mirror keeps no publication of this number."""

    mirror: str
    number: str
    kept: list[str]

    def __str__(self) -> str:
        said = f"unknown; kept are {', '.join(self.kept)}" if self.kept else "nothing is published"
        return f"mirror {self.mirror}: publication {self.number}: {said}"

    @property
    def public(self) -> str:
        """Without paths and addresses."""
        return redact(str(self))


@dataclass(eq=False)
class RollbackRefused(GmError):
    """An older publication cannot be made live again."""

    mirror: str
    number: str
    reason: str

    def __str__(self) -> str:
        return f"mirror {self.mirror}: rolling back to publication {self.number}: {self.reason}"

    @property
    def public(self) -> str:
        """Without paths and addresses."""
        return redact(str(self))


@dataclass(eq=False)
class LockMismatch(GmError):
    """A lock file that is none, or that was made for another manifest."""

    problems: list[str]

    def __str__(self) -> str:
        return "lock file: " + "; ".join(self.problems)

    @property
    def public(self) -> str:
        """Without paths and addresses."""
        return redact(str(self))


@dataclass(eq=False)
class LockBroken(GmError):
    """What a lock file names cannot be had bit for bit: every RPM, and what is wrong with it."""

    mirror: str
    problems: list[str]

    def __str__(self) -> str:
        return f"mirror {self.mirror}: following the lock file: " + "; ".join(self.problems)

    @property
    def public(self) -> str:
        """Without paths and addresses."""
        problems = redact("; ".join(self.problems))
        return f"mirror {self.mirror}: following the lock file: {problems}"


@dataclass(eq=False)
class NotVisible(TransientError):
    """The web server does not (yet) serve what was published."""

    mirror: str
    url: str
    message: str

    def __str__(self) -> str:
        return f"mirror {self.mirror}: reading {self.url}: {self.message}"

    @property
    def public(self) -> str:
        """Without the address."""
        return f"mirror {self.mirror}: reading what is served: not yet what was published"


# --- store ------------------------------------------------------------------------------


@dataclass(eq=False)
class StoreUnavailable(TransientError):
    """The durable store cannot be read or written."""

    doing: str
    message: str

    def __str__(self) -> str:
        return f"store: {self.doing}: {self.message}"

    @property
    def public(self) -> str:
        """Nothing of the database."""
        return "the store does not answer"


@dataclass(eq=False)
class ForeignFormat(GmError):
    """A stored value that the service did not write; it is not decoded. A pickle would be run."""

    written_as: str

    def __str__(self) -> str:
        return f"store: reading a value: it was stored as {self.written_as}, which is refused"


@dataclass(eq=False)
class UnknownUpdate(GmError):
    """No update of this id."""

    update_id: str

    def __str__(self) -> str:
        return f"update {self.update_id}: unknown"

    @property
    def public(self) -> str:
        """Without the id, which is whatever was asked for."""
        return "no such update"


# --- what others may read ----------------------------------------------------------------

_KEPT = r"(?:usr|bin|sbin|lib|lib64|etc/(?!yum|dnf|pki|ssh))"
"""Where packages put files: dependencies are named by such paths."""
_INSIDE = re.compile(
    r"\b(?P<url>[a-z][a-z0-9+]{1,9}://[^\s'\"<>]+)"
    rf"|(?<![\w./+-])(?P<path>/(?!{_KEPT}\b)[\w.+@~-]+/[^\s'\":;,()]*)"
    r"|\b(?P<host>[\w.-]{1,64}@[\w.-]+\b)"
    r"|(?<![\w.:-])(?P<ip>\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?)(?![\w.-])"
    r"|(?<=host: )(?P<name>[\w.-]+)|(?<=connect to )(?P<peer>[\w.:-]+)"
)
_SAID = {"url": "(address)", "path": "(path)"}
_NETWORK = (
    (re.compile(r"[Ss]tatus code: (\d{3})"), "an upstream repository answered {}"),
    (re.compile(r"[Cc]ould(?:n't| not) resolve"), "an upstream host's name is not resolved"),
    (re.compile(r"[Tt]imed? ?out|[Tt]imeout|too slow"), "an upstream repository is too slow"),
    (re.compile(r"[Cc]ertificate|SSL|TLS"), "an upstream repository's certificate is refused"),
    (re.compile(r"[Cc]hecksum"), "an upstream repository's metadata does not match its checksum"),
    (re.compile(r"[Cc]onnect"), "an upstream repository takes no connections"),
)


def redact(text: str) -> str:
    """Take addresses and the mirror's own paths out of a program's words.

    Paths that packages own stay: `nothing provides /usr/bin/perl` is what an author needs.
    """
    return _INSIDE.sub(lambda found: _SAID.get(found.lastgroup or "", "(host)"), text)


def _network(words: str) -> str:
    for pattern, said in _NETWORK:
        if found := pattern.search(words):
            return said.format(*found.groups())
    return "an upstream repository cannot be read"


def _subclasses(cls: type[GmError]) -> list[type[GmError]]:
    direct = cls.__subclasses__()
    return direct + [deeper for child in direct for deeper in _subclasses(child)]
