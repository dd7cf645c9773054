"""Every error the service raises: one root, each subclass carries its data.

An error says what was being done, to what, and what came back (`text`); whose fault it is; what
to do about it (`advice`); and with which code a command ends. Only the outermost layer (an HTTP
reply, an exit code, a commit status) turns one into something else. Errors travel through the
durable store as JSON, hence `to_json` and `from_json`.

Strangers read `public` and `public_hint`, which show no argv, path, host, account or database of
the inside. `str()` and `hint` are for the log and the operator's terminal, and keep everything.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, unique
from typing import Any, ClassVar, Literal, dataclass_transform

from gm_analytics.wording import cleaned, fill, network_cure, network_fault

Fault = Literal["author", "operator", "upstream", "github", "ourselves"]
"""Who can do something about it: who wrote the manifest (or the lock file), who runs the service
and its mirrors, who runs the repositories they copy, GitHub, or who develops the service."""

WaitsFor = Literal["mirror", "lock", "upstream", "github", "store", "web server"]
"""What an update waits for that time, or a person, may bring back."""

INSTALL_NEWER = "install the newer gm-analytics that wrote it"


@unique
class Exit(IntEnum):
    """How a command ends; errors share a code where a script would do the same about them."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Exit:
        """Make one that says what it means."""
        self = int.__new__(cls, code)
        self._value_, self.meaning = code, meaning
        return self

    DONE = 0, "done"
    FAILED = 1, "it failed, and no other code says how"
    WRONG_USE = 2, "wrong usage, configuration, manifest or lock file"
    DIFFERS = 3, "`status`: manifest, live publication and what HTTP serves differ"
    REFUSED = 4, "what was asked for is not there, or cannot be had: a package, a publication"
    SET_UP = 5, "an operator has to put something right: a mirror, a key, a disk"
    GITHUB = 6, "GitHub refused"
    UNTRUSTED = 7, "a mirror is not what it was, or not what was signed: find out who changed it"
    DEFECT = 70, "a defect of gm-analytics itself; standard error says where its trace is"
    NOT_NOW = 75, "not now: the same may succeed later"
    INTERRUPTED = 130, "interrupted"


_FOR_STRANGERS: dict[Fault, str] = {
    "author": "",
    "operator": "Whoever runs the service has to put this right; its log says more.",
    "upstream": "Upstream has to put this right first.",
    "github": "Whoever runs the service has to look at its access to GitHub; its log says more.",
    "ourselves": "This is a defect of the service: tell whoever runs it the update's id.",
}
"""Hints. What an author can do is no secret, so an author reads the error's own."""
_LATER = "Close and reopen the pull request later; if that does not help, tell whoever runs this."


@dataclass_transform(eq_default=False, field_specifiers=(field,))
@dataclass(eq=False)
class GmError(Exception):
    """The root. `transient` says whether doing the same again later may succeed.

    A subclass is a dataclass without a decorator, and is not made without a fault and a code:
    `class DiskFull(GmError, fault="operator", code=Exit.SET_UP)`. `text`, `advice` and their
    public forms are templates over its fields and properties; see `wording.fill`.
    """

    fault: ClassVar[Fault]
    code: ClassVar[Exit]
    transient: ClassVar[bool] = False
    brief: ClassVar[bool] = False
    """Whether its text says what to do as well, so that a terminal shows no hint."""
    waits_for: ClassVar[WaitsFor | None] = None
    """What an update that meets it waits for; None for what ends it at once."""
    text: ClassVar[str]
    public_text: ClassVar[str] = "an error inside the service; its log says more"
    advice: ClassVar[str]
    public_advice: ClassVar[str] = ""
    """For strangers; else what holds for all errors of one fault."""

    def __init_subclass__(cls, *, fault: Fault, code: Exit) -> None:
        """Make a dataclass of an error that says whose fault it is and how a command ends."""
        super().__init_subclass__()
        cls.fault, cls.code = fault, code
        dataclass(eq=False)(cls)

    def __str__(self) -> str:
        return fill(self.text, self)

    @property
    def lines(self) -> str:
        """What a terminal shows: `str()`, or a line for each of several problems."""
        return str(self)

    @property
    def hint(self) -> str:
        """What to do, in a sentence."""
        return fill(self.advice, self)

    @property
    def public(self) -> str:
        """What strangers may read of it."""
        return fill(self.public_text, self)

    @property
    def public_hint(self) -> str:
        """What a stranger may read about what to do."""
        if self.public_advice:
            return fill(self.public_advice, self)
        return _LATER if self.transient else _FOR_STRANGERS[self.fault] or self.hint

    def to_json(self) -> dict[str, Any]:
        """Give the error's name and data as JSON values."""
        return {"error": type(self).__name__, **dataclasses.asdict(self)}

    @staticmethod
    def from_json(data: dict[str, Any]) -> GmError:
        """Make the error that `to_json` described; an unknown name gives `Unexpected`.

        Unknown data is ignored; without what an error must have it is `Unexpected`, too, and so
        it is with data of which no words can be made.
        """
        fields = cleaned(data)
        name = str(fields.pop("error", ""))
        for cls in _subclasses(GmError):
            if cls.__name__ == name:
                known = {one.name for one in dataclasses.fields(cls)}
                try:
                    found = cls(**{key: value for key, value in fields.items() if key in known})
                    found.all_texts()
                except Exception:  # noqa: S112  # data of another version, or of nobody of ours
                    continue
                return found
        return Unexpected(name, str(fields.get("message", fields)))

    def all_texts(self) -> tuple[str, ...]:
        """Give all that is said of it."""
        return str(self), self.hint, self.public, self.public_hint

    @classmethod
    def wrap(cls, error: BaseException) -> GmError:
        """Give an error of the service as it is, any other as `Unexpected`."""
        return (
            error if isinstance(error, GmError) else Unexpected(type(error).__name__, str(error))
        )


class TransientError(GmError, fault="ourselves", code=Exit.NOT_NOW):
    """One that time may cure: a network fault, a 5xx, a lock that somebody holds."""

    transient: ClassVar[bool] = True


class Unexpected(GmError, fault="ourselves", code=Exit.DEFECT):
    """An error that the service does not know: a defect of it. `trace` is the file that has it."""

    text = "unexpected {kind}: {message}{kept}"
    public_text = "an error inside the service ({kind:.40}); its log says more"
    advice = "This is a defect: report it, with its trace (the log, or `gm-analytics --debug`)."

    kind: str
    message: str
    trace: str = ""

    @property
    def kept(self) -> str:
        """Where its trace is."""
        return f"; its trace is in {self.trace}" if self.trace else ""


class LocalFault(GmError, fault="operator", code=Exit.SET_UP):
    """The system that the command runs on refused: a file, the disk, standard output."""

    text = "{doing}: {message}"
    advice = "See that it is there, that this account may use it, and that the disk is not full."

    doing: str
    message: str

    @classmethod
    def of(cls, error: OSError) -> LocalFault:
        """Tell of what the system said; without a file's name it was about what is printed."""
        name = error.filename
        shown = f"using {name!r}" if name is not None else "reading or writing"
        return cls(shown, error.strerror or str(error) or type(error).__name__)


class AccountMissing(GmError, fault="operator", code=Exit.SET_UP):
    """An account that files are to be given to is not there; `options` are useradd's for it."""

    text = "account {name}: there is none of that name on this host"
    advice = "Make it with `useradd --system {options} --shell /usr/sbin/nologin {name}`."

    name: str
    options: str


class NotListening(GmError, fault="operator", code=Exit.FAILED):
    """An address cannot be listened on: another program does, or it is not this machine's."""

    brief: ClassVar[bool] = True
    text = "listening on {address}: {message}; choose another {key}"
    advice = "Choose another address, or stop what listens there."

    address: str
    message: str
    key: str


class NoTunnel(TransientError, fault="operator", code=Exit.NOT_NOW):
    """No tunnel leads to the service, or none that its agent tells of."""

    text = "ngrok at {api}: no tunnel to port {port}: {message}"
    advice = "Start ngrok (https://ngrok.com/docs/agent), or say where its local API is by --api."

    api: str
    port: int
    message: str


class NoSuchWebhook(GmError, fault="operator", code=Exit.WRONG_USE):
    """A webhook that was named is not there."""

    text = "{repository}: no webhook {number}; there are: {known:, }"
    advice = "In the repository's settings, Webhooks, the id is the end of a webhook's address."

    repository: str
    number: int
    known: list[str]


class WebhookInUse(GmError, fault="operator", code=Exit.REFUSED):
    """A webhook of this name leads to another address, where something answers."""

    text = "{repository}: webhook {number} leads to {address}, which answers: it was left alone"
    advice = (
        "Another installation may have the same service_id. If it is this one, name the webhook "
        "by --take-over."
    )

    repository: str
    number: int
    address: str


class NotRegistered(GmError, fault="operator", code=Exit.SET_UP):
    """Not every repository's webhook is one whose deliveries arrive."""

    brief: ClassVar[bool] = True
    text = "webhooks: {repositories:, }: deliveries do not arrive"
    advice = "What GitHub said is above; see that the address is reached from outside."

    repositories: list[str]


def _listed(head: str, problems: list[str]) -> str:
    if len(problems) == 1:
        return f"{head}: {problems[0]}"
    return "\n  ".join([f"{head}: {len(problems):,} problems", *problems])


class ConfigError(GmError, fault="operator", code=Exit.WRONG_USE):
    """The configuration cannot be used; every problem is named."""

    text = "configuration {source}: {problems:; }"
    public_text = "the service's configuration cannot be used; its log says more"
    advice = "Correct it; docs/operations.md has every key."

    source: str
    problems: list[str]

    @property
    def lines(self) -> str:
        """Each problem on a line."""
        return _listed(f"configuration {self.source}", self.problems)


class UnsafeFiles(ConfigError, fault="operator", code=Exit.WRONG_USE):
    """Others can change what the service relies on, or read its secrets; every cure is named."""

    text = "configuration {source}: files that others can change or read:\n  {problems:\n  }"
    advice = "Run the command that is named for each file."

    @property
    def lines(self) -> str:
        """As it is."""
        return str(self)


class Malformed(GmError, fault="operator", code=Exit.SET_UP):
    """Foreign text that is not what it should be; `found` is escaped and cut."""

    text = "found {found}; expected {expected}"
    advice = "Find out which program wrote it, and which version that is."

    expected: str
    found: str


class NewerFormat(Malformed, fault="operator", code=Exit.SET_UP):
    """Something stored that a newer version of the service wrote, and this one cannot read."""

    text = f"found {{found}}; expected {{expected}}; {INSTALL_NEWER}"
    advice = "Install the newer gm-analytics again, or one that is newer still."


# --- deliveries -------------------------------------------------------------------------


class DeliveryError(GmError, fault="github", code=Exit.FAILED):
    """A delivery that is refused; `status` is the HTTP status of the reply."""

    status: ClassVar[int] = 400
    text = "{reason}"
    public_text = text
    advice = "Compare it with `Recent Deliveries` of the webhook; others may call the address."

    reason: str


class BadSignature(DeliveryError, fault="operator", code=Exit.FAILED):
    """No signature, or another secret's. The sender learns no more than that."""

    status: ClassVar[int] = 401
    advice = "Give GitHub's webhook the secret that the configuration has."

    reason: str = "signature missing or wrong"


class NoDeliveries(DeliveryError, fault="operator", code=Exit.FAILED):
    """A delivery to a service that takes none: it looks at GitHub itself."""

    status: ClassVar[int] = 403
    public_text = "{reason!p}"
    advice = "Remove the webhook at GitHub, or set `intake: webhook`."

    reason: str = "this service polls GitHub (intake: poll) and takes no deliveries"


class BadDelivery(DeliveryError, fault="github", code=Exit.FAILED):
    """Signed, but not what GitHub sends; names the field."""


class UnsupportedMediaType(DeliveryError, fault="operator", code=Exit.FAILED):
    """Neither of the two content types that GitHub can be set to."""

    status: ClassVar[int] = 415
    advice = "Set the webhook's content type to application/json."


class DeliveryTooLarge(DeliveryError, fault="github", code=Exit.FAILED):
    """More than GitHub ever sends."""

    status: ClassVar[int] = 413


class DeliveryIncomplete(DeliveryError, fault="github", code=Exit.FAILED):
    """The sender went away before its body was whole."""

    advice = "Redeliver it: `Recent Deliveries` of the webhook."

    reason: str = "body: incomplete"


class DeliveryTooSlow(DeliveryError, fault="github", code=Exit.FAILED):
    """The body did not arrive in the time that GitHub waits for an answer."""

    status: ClassVar[int] = 408
    advice = "Redeliver it: `Recent Deliveries` of the webhook."

    reason: str = "body: not there in time"


class DeliveryReused(DeliveryError, fault="github", code=Exit.FAILED):
    """A delivery's id came with another payload than before."""

    status: ClassVar[int] = 409
    public_text = "{reason!p}"
    advice = "Deliver it under an id of its own; GitHub gives each delivery one."


class AnotherRepository(GmError, fault="operator", code=Exit.REFUSED):
    """A configured name is now that of another repository than it was."""

    text = (
        "repository {repository} is known by its id {known}, and this one's is {found}: "
        "another repository has the name now"
    )
    public_text = (
        "repository {repository!p} is known by its id {known!p}, and this one's is {found!p}: "
        "another repository has the name now"
    )
    advice = (
        "Give webhook.repositories the new name of the old one, or, if this is the right one, "
        "run `gm-analytics forget {repository}`."
    )

    repository: str
    known: str
    found: str


class TooManyDeliveries(DeliveryError, fault="ourselves", code=Exit.NOT_NOW):
    """More bodies at once than there is room for."""

    transient: ClassVar[bool] = True
    status: ClassVar[int] = 503
    advice = "Redeliver it later: `Recent Deliveries` of the webhook."

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


_ENTRY = re.compile(r"(?:/packages)?/([0-9]{1,6})(?=/|\Z)")


def entry_at(pointer: str, names: Mapping[str, str]) -> tuple[int, str]:
    """Give which entry of a manifest a JSON pointer is about, from 1, and its name if it has one.

    It is 0 if it is about none.
    """
    found = _ENTRY.match(pointer)
    return (int(found[1]) + 1, names.get(found[0], "")) if found else (0, "")


class ManifestError(GmError, fault="author", code=Exit.WRONG_USE):
    """The manifest cannot be used; all its problems at once.

    `names` are the entries', by their JSON pointers, as far as they have any.
    """

    text = "{source}: {told:; }"
    public_text = text
    advice = "Correct the manifest at each place that is named."

    problems: list[Problem]
    names: dict[str, str] = field(default_factory=dict)
    source: str = "packages.json"

    def __post_init__(self) -> None:
        self.problems = [p if isinstance(p, Problem) else Problem(**p) for p in self.problems]

    @property
    def told(self) -> list[str]:
        """Each problem, with its entry beside the pointer."""
        return [
            f"{one.where}{_beside(one.where, self.names)}: "
            f"found {one.found}; expected {one.expected}"
            for one in self.problems
        ]

    @property
    def lines(self) -> str:
        """Each problem on a line."""
        return _listed(self.source, self.told)


def _beside(pointer: str, names: Mapping[str, str]) -> str:
    number, name = entry_at(pointer, names)
    return (f", entry {number}" + (f" (`{name}`)" if name else "")) if number else ""


# --- GitHub -----------------------------------------------------------------------------

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_GITHUB_HINTS = {
    _UNAUTHORIZED: "Give the service a token that GitHub accepts.",
    _FORBIDDEN: "Give the token the right that is missing; docs/operations.md lists them.",
    _NOT_FOUND: "See that it is there, and that the service's token may read it.",
}


class GitHubError(GmError, fault="github", code=Exit.GITHUB):
    """GitHub said no, and will say so again."""

    text = "GitHub: {doing}: {status} {message}"
    public_text = "GitHub: {doing!p}: {status} {message!p}"
    advice = "GitHub's own words say why: see https://docs.github.com/rest."

    doing: str
    status: int
    message: str

    @property
    def hint(self) -> str:
        """What to do, as far as the status tells it."""
        return _GITHUB_HINTS.get(self.status, self.advice)

    @property
    def public_hint(self) -> str:
        """What an author can do: the file may not be there."""
        return _GITHUB_HINTS[_NOT_FOUND] if self.status == _NOT_FOUND else super().public_hint


class GitHubUnavailable(TransientError, fault="github", code=Exit.NOT_NOW):
    """GitHub could not answer, or asked to be called later (`retry_after` in seconds)."""

    waits_for: ClassVar[WaitsFor | None] = "github"
    text = "GitHub: {doing}: {message}{later}"
    public_text = "GitHub: {doing!p}: no answer for now"
    advice = "Try again later; https://www.githubstatus.com tells of outages."

    doing: str
    message: str
    retry_after: float | None = None

    @property
    def later(self) -> str:
        """When to call again, if GitHub said so."""
        return f" (asked to wait {self.retry_after:g} s)" if self.retry_after else ""


class CommitUnknown(TransientError, fault="github", code=Exit.NOT_NOW):
    """GitHub does not know a commit that it told of, and shows it a little later."""

    waits_for: ClassVar[WaitsFor | None] = "github"
    text = "GitHub: reading {path} of {repository} at {commit}: no such commit yet"
    public_text = "GitHub: reading {path!p} of {repository!p} at {commit!p}: no such commit yet"
    advice = "Wait: GitHub shows a new commit after a while. If it never does, it was removed."

    path: str
    repository: str
    commit: str


class NoManifest(GmError, fault="author", code=Exit.REFUSED):
    """A commit without the manifest: that says nothing about packages, so nothing changes."""

    text = "no manifest: {repository} has no {path} at {commit}; nothing changes"
    public_text = "no manifest: {repository!p} has no {path!p} at {commit!p}; nothing changes"
    advice = "Bring the file back. To ask for no packages, let it hold an empty list: []."

    path: str
    repository: str
    commit: str


# --- mirror -----------------------------------------------------------------------------


class MirrorUnreachable(TransientError, fault="operator", code=Exit.NOT_NOW):
    """No SSH session could be had, or it broke; `command` tries the same by hand."""

    waits_for: ClassVar[WaitsFor | None] = "mirror"
    text = "mirror {mirror}: opening an SSH session: {message}"
    public_text = "mirror {mirror}: opening an SSH session: not possible for now"
    advice = "See that the host is up and that its sshd accepts the service's key.{attempt}"

    mirror: str
    message: str
    command: str = ""

    @property
    def attempt(self) -> str:
        """What to try by hand."""
        return f" Try `{self.command}`." if self.command else ""


class KeyNotAccepted(MirrorUnreachable, fault="operator", code=Exit.NOT_NOW):
    """The mirror's sshd takes another key, or none, for the account; `line` is this one's."""

    text = "mirror {mirror}: its sshd does not accept the service's key {path}: {message}"
    advice = "Append `restrict {line}` to ~/.ssh/authorized_keys of the account there.{attempt}"

    line: str = ""
    path: str = ""


class IdentityUnusable(GmError, fault="operator", code=Exit.SET_UP):
    """The service's own SSH key is missing, or cannot be used."""

    text = "mirror {mirror}: the service's key {path} cannot be used: {message}"
    public_text = "mirror {mirror}: opening an SSH session: the service's key cannot be used"
    advice = (
        "Make another: `ssh-keygen -t ed25519 -N '' -f {path}`; append {path}.pub to the "
        "account's ~/.ssh/authorized_keys there."
    )

    mirror: str
    path: str
    message: str


class SessionsRefused(GmError, fault="operator", code=Exit.SET_UP):
    """sshd allows too few channels on a connection: the lock has one, each command another."""

    text = (
        "mirror {mirror}: {doing}: its sshd refuses another session of the connection: {message}"
    )
    public_text = "mirror {mirror}: {doing!p}: its sshd refuses another session of the connection"
    advice = (
        "Give sshd_config on the mirror's host `MaxSessions 10` (2 is the least), and reload sshd."
    )

    mirror: str
    doing: str
    message: str


class HostKeyRefused(GmError, fault="operator", code=Exit.UNTRUSTED):
    """The mirror's host key is not the one that known_hosts has; `scan` reads what it offers."""

    text = "mirror {mirror}: host key refused: {message}"
    public_text = "mirror {mirror}: opening an SSH session: host key refused"
    advice = (
        "Compare what {reader} gives with the host's own key, and only then put it into {file}."
    )

    mirror: str
    message: str
    scan: str = ""
    known_hosts: str = ""

    @property
    def reader(self) -> str:
        """The command that reads the key."""
        return f"`{self.scan or 'ssh-keyscan'}`"

    @property
    def file(self) -> str:
        """Where the key belongs."""
        return self.known_hosts or "known_hosts"


class AnotherService(GmError, fault="operator", code=Exit.SET_UP):
    """Another service publishes on the mirror; `published` says what and when."""

    text = (
        "mirror {mirror}: another service publishes there: {published}. This is service {service}"
    )
    public_text = "mirror {mirror}: another service publishes there"
    advice = "Stop that one, then run `gm-analytics takeover {mirror}` to publish from here."

    mirror: str
    published: str
    service: str
    """This one."""


class ConfigurationChanged(GmError, fault="operator", code=Exit.SET_UP):
    """What is live was made with another configuration; `changes` names each difference."""

    text = "mirror {mirror}: what is live was made with another configuration: {changes:; }"
    public_text = "mirror {mirror}: its configuration has changed since what is live was made"
    advice = "Take it back, or run `gm-analytics accept-change {mirror}`, which says what follows."

    mirror: str
    changes: list[str]


class MadeOtherwise(GmError, fault="operator", code=Exit.SET_UP):
    """An older publication is of another system than the configuration is about now."""

    text = (
        "mirror {mirror}: rolling back to publication {number}: it was made with another "
        "configuration: {changes:; }"
    )
    public_text = "mirror {mirror!p}: publication {number!p} was made with another configuration"
    advice = (
        "Give the configuration its old values, run `gm-analytics accept-change {mirror}`, and "
        "roll back then."
    )

    mirror: str
    number: str
    changes: list[str]


class StillNeeded(GmError, fault="operator", code=Exit.REFUSED):
    """Packages that are to be removed and that others need: each with the specs that do."""

    text = "mirror {mirror}: removing packages: {needed:; }"
    public_text = "mirror {mirror}: removing packages: {needed!p:; }"
    advice = "Remove the specs that need them too: what is left could not be installed."

    mirror: str
    needed: list[str]


class NotLive(GmError, fault="operator", code=Exit.REFUSED):
    """What is to be removed is not in the live publication."""

    text = "mirror {mirror}: removing packages: not live: {names}"
    public_text = "mirror {mirror}: removing packages: not live: {names!p}"
    advice = "`gm-analytics lock` lists what is live: each RPM, and the specs that wanted it."

    mirror: str
    names: list[str]


class NotKept(GmError, fault="operator", code=Exit.REFUSED):
    """No publication that a mirror keeps has such a package."""

    text = "mirror {mirror}: {spec}: in no publication that is kept"
    public_text = "mirror {mirror}: {spec!p}: in no publication that is kept"
    advice = "`gm-analytics packages` lists what is live; `plan` says what upstream has."

    mirror: str
    spec: str


class LockHeld(TransientError, fault="operator", code=Exit.NOT_NOW):
    """Another writer has the mirror's lock."""

    waits_for: ClassVar[WaitsFor | None] = "lock"
    text = "mirror {mirror}: locking {path}: another writer holds it"
    public_text = "mirror {mirror}: locking it: another writer holds the lock"
    advice = (
        "`gm-analytics updates` lists what runs; `fuser -v {path}` on the mirror's host names the "
        "process."
    )

    mirror: str
    path: str


class LockLost(TransientError, fault="operator", code=Exit.NOT_NOW):
    """The mirror let its lock go, since it heard nothing of this process; nothing is run then."""

    waits_for: ClassVar[WaitsFor | None] = "mirror"
    text = "mirror {mirror}: {doing}: the lock was lost: the mirror heard nothing of this process"
    public_text = "mirror {mirror}: {doing!p}: its lock was lost"
    advice = "See what held this process up, or the network between it and the mirror."

    mirror: str
    doing: str


class LoginUnusable(GmError, fault="operator", code=Exit.SET_UP):
    """The account's login on the mirror runs no command; `printed` is what it said instead."""

    text = "mirror {mirror}: {doing}: the login ran no command: {reason}; it printed: {said}"
    public_text = "mirror {mirror}: {doing!p}: the login there runs no command"
    advice = (
        "Give the account an ordinary shell (`chsh -s /bin/sh`) and no forced command "
        "(`ForceCommand`, `command=`); see its start files."
    )

    mirror: str
    doing: str
    reason: str
    printed: str

    @property
    def said(self) -> str:
        """What it printed."""
        return self.printed or "nothing"


_ENDS = {
    "SIGHUP": ", as when its session ends",
    "SIGKILL": ", as the kernel does where memory is short",
    "SIGTERM": ", as when a host goes down",
}


class CommandStopped(TransientError, fault="operator", code=Exit.NOT_NOW):
    """Somebody else ended a command on the mirror by a signal, as a reboot does."""

    waits_for: ClassVar[WaitsFor | None] = "mirror"
    text = "mirror {mirror}: {doing}: ended there by {signal}{reason}"
    public_text = "mirror {mirror}: {doing!p}: ended there by {signal!p}"
    advice = "See if the mirror was restarted, or ran out of memory (`journalctl -k` there)."

    mirror: str
    doing: str
    signal: str

    @property
    def reason(self) -> str:
        """What does that, as a rule."""
        return _ENDS.get(self.signal, "")


class Stopped(GmError, fault="operator", code=Exit.NOT_NOW):
    """Somebody asked this process to stop what it does on a mirror; it is not tried again."""

    text = "stopped: {reason}"
    public_text = "stopped: {reason!p}"
    advice = "Run it again if it is still wanted."

    reason: str


_CRASHES = {132: "SIGILL", 134: "SIGABRT", 135: "SIGBUS", 136: "SIGFPE", 139: "SIGSEGV"}
"""What a shell makes of a program's end by one of its own faults: 128 and the signal."""
_LIMITS = {152: "SIGXCPU", 153: "SIGXFSZ"}
"""The same, of a limit that the host sets to what an account uses."""


_CAUSES = {
    "No space left on device": "the mirror's disk is full",
    "Disk quota exceeded": "the account's quota on the mirror is used up",
    "Read-only file system": "the mirror's disk is read-only",
    "Permission denied": "the account there is not allowed to",
    "Input/output error": "the mirror's disk has errors",
    "Cannot allocate memory": "the mirror is out of memory",
}
"""What programs say of an error of the system, in its language of the C locale."""


class CommandFailed(GmError, fault="operator", code=Exit.SET_UP):
    """A command on the mirror failed; carries its exit code and the end of its output."""

    text = "mirror {mirror}: {doing}: exit code {exit_code}{crash}{cause}: {said}"
    public_text = "mirror {mirror}: {doing!p}: exit code {exit_code}{cause}"
    advice = (
        "`gm-analytics check` looks at the mirror's disk and rights; "
        "`gm-analytics updates ID --json` has the command."
    )

    mirror: str
    doing: str
    argv: list[str]
    exit_code: int
    output: str

    @property
    def said(self) -> str:
        """The end of its output."""
        return self.output.strip() or "no output"

    @property
    def crash(self) -> str:
        """Which of the program's own faults, or of the account's limits, ended it, if one did."""
        if limit := _LIMITS.get(self.exit_code):
            return f" ({limit}: it met a limit of the account there)"
        crash = _CRASHES.get(self.exit_code)
        return f" ({crash}: the program itself crashed)" if crash else ""

    @property
    def cause(self) -> str:
        """What is wrong with the host, if the program said it in the system's words."""
        found = [cause for words, cause in _CAUSES.items() if words in self.output]
        return f" ({found[0]})" if found else ""

    @property
    def hint(self) -> str:
        """What to do: about the disk, the crash, the limit or sudo, where it is that."""
        if self.output.lstrip().startswith("sudo: "):
            return "Install the root helper and its line in sudoers there: see docs/operations.md."
        if "disk is full" in self.cause or "quota" in self.cause:
            return f"`gm-analytics gc {self.mirror}` removes what is not kept; else add disk."
        if self.exit_code in _LIMITS:
            return "Raise the account's limits on the mirror's host (`ulimit -a`, limits.conf)."
        return self._after_a_crash or self.advice

    @property
    def public_hint(self) -> str:
        """What an author can do: without a group, a crash over groups does not come."""
        return self._after_a_crash or super().public_hint

    @property
    def _after_a_crash(self) -> str:
        if self.exit_code not in _CRASHES:
            return ""
        if re.search(r"(?:\A|[ ,])@", self.doing):
            return (
                "Name the packages in place of the group; whoever runs the mirror updates its dnf "
                "and libcomps, whose defect it is."
            )
        return "Whoever runs the mirror updates the program that crashed: it is a defect of it."


class CommandTimedOut(TransientError, fault="operator", code=Exit.NOT_NOW):
    """A command on the mirror took too long and was stopped there."""

    waits_for: ClassVar[WaitsFor | None] = "mirror"
    text = "mirror {mirror}: {doing}: no end after {seconds:g} s{before}"
    public_text = "mirror {mirror}: {doing!p}: no end after {seconds:g} s"
    advice = "See what keeps the mirror busy, or raise mirrors[].command_timeout."

    mirror: str
    doing: str
    seconds: float
    login: str = ""
    """What the login printed, if it came no farther."""

    @property
    def before(self) -> str:
        """How far it came."""
        return f"; the login did not come to it, and printed: {self.login}" if self.login else ""


class OutputTooLarge(GmError, fault="operator", code=Exit.SET_UP):
    """What came from the mirror is more than the service takes. `limit` in bytes."""

    text = "mirror {mirror}: {doing}: more than {limit:,} bytes came"
    public_text = "mirror {mirror}: {doing!p}: more than {limit:,} bytes came"
    advice = "Look at the programs on the mirror: they print more than those that are known."

    mirror: str
    doing: str
    limit: int


class UpstreamUnavailable(TransientError, fault="upstream", code=Exit.NOT_NOW):
    """The package manager could not fetch from an upstream repository."""

    waits_for: ClassVar[WaitsFor | None] = "upstream"
    text = "mirror {mirror}: {doing}: {message}"
    public_text = "mirror {mirror}: {doing!p}: {network}"
    advice = "Try `dnf makecache` on the mirror; see its network and its repository files."

    mirror: str
    doing: str
    message: str

    @property
    def network(self) -> str:
        """The kind of fault, without the upstream's address."""
        return network_fault(self.message)

    @property
    def hint(self) -> str:
        """What to do about the cause, where the package manager's words tell it."""
        return network_cure(self.message) or self.advice


class BadMetadata(GmError, fault="upstream", code=Exit.REFUSED):
    """Groups, advisories or modules of a repository that are not what they should be."""

    text = "mirror {mirror}: reading upstream's groups, advisories and modules: {words}"
    public_text = "mirror {mirror}: reading upstream's groups, advisories and modules: {words!p}"
    advice = "Tell who makes that repository; leave it out until it is repaired."

    mirror: str
    words: str


class UndocumentedModules(GmError, fault="upstream", code=Exit.REFUSED):
    """RPMs of module streams that are in no document of upstream's: no client installs them."""

    text = (
        "mirror {mirror}: of module streams, but in no module metadata of upstream, without which "
        "no client installs them: {packages}"
    )
    public_text = (
        "mirror {mirror}: of module streams, but in no module metadata of upstream, without which "
        "no client installs them: {packages!p:, }"
    )
    advice = (
        "Name another version, or tell who makes that repository: its modules.yaml lacks them."
    )

    mirror: str
    packages: list[str]


class ModulesNotPossible(GmError, fault="operator", code=Exit.SET_UP):
    """What is asked for is of module streams, which the mirror's host cannot offer."""

    text = "mirror {mirror}: of module streams: {packages}; {reason}"
    public_text = "mirror {mirror}: of module streams: {packages!p:, }; {reason!p}"
    advice = "Have a host with dnf 4 mirror them; see `upstream.module_platform_id`."

    mirror: str
    packages: list[str]
    reason: str


class NoUpstream(GmError, fault="operator", code=Exit.SET_UP):
    """The mirror's yum has no repository to take packages from, or passes over one."""

    text = "mirror {mirror}: where packages come from: {message}"
    public_text = "mirror {mirror}: it has no repository to take packages from, or cannot read one"
    advice = (
        "Write a .repo file that the account can read into {reposdir} there, with name, baseurl "
        "and gpgkey (see upstream.reposdir)."
    )

    mirror: str
    message: str
    reposdir: str


class ToolsMissing(GmError, fault="operator", code=Exit.SET_UP):
    """The mirror lacks a program that an update needs."""

    text = "mirror {mirror}: not installed: {missing}"
    public_text = text
    advice = "Install it on the mirror's host, from the packages of its distribution."

    mirror: str
    missing: list[str]


def _placed(spec: str, places: dict[str, str]) -> str:
    if spec not in places:
        return spec
    number, _ = entry_at(places[spec], {})
    return f"{spec} at {places[spec]}" + (f" (entry {number})" if number else "")


_HIDDEN = {
    "exclude": "excluded: upstream has it, but the mirror's yum hides it by `exclude`",
    "modular": "filtered: upstream has it, but the mirror's yum hides it by its modules",
    "either": "hidden: upstream has it, but the mirror's yum hides it by `exclude` or modules",
}
_LET_IN = {
    "exclude": "Take out what is excluded, or have whoever runs the mirror change `exclude`.",
    "modular": "Ask for a module stream that has it, as `@nodejs:20`, or for another version.",
    "either": "Take it out, or have whoever runs the mirror look at `exclude` and modules there.",
}


class UnknownPackages(GmError, fault="author", code=Exit.REFUSED):
    """Upstream has no package of these names: all of them, with near matches if any.

    `hidden` are those that it has, and the host's yum does not show, and why: `exclude` of its
    configuration or `modular` filtering. `places` says where in the manifest each is, as far as
    there is one.
    """

    text = "mirror {mirror}: resolving {specs}: {unmatched:; }"
    public_text = text
    advice = "Correct the names; if they are right, the mirror needs a repository that has them."

    mirror: str
    specs: list[str]
    near: dict[str, list[str]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)

    @property
    def hint(self) -> str:
        """What to do: about what is hidden, if nothing else is wrong."""
        if set(self.specs) - set(self.hidden):
            return self.advice
        return next((_LET_IN[why] for why in self.hidden.values() if why in _LET_IN), self.advice)

    @property
    def unmatched(self) -> list[str]:
        """Each spec with its place, what hides it, and its near matches."""
        return [self._unmatched(spec) + self._near(spec) for spec in self.specs]

    def _unmatched(self, spec: str) -> str:
        placed = _placed(spec, self.places)
        if why := self.why_hidden(spec):
            return f"{placed}: {why}"
        return f"No match for argument: {placed}"

    def why_hidden(self, spec: str) -> str:
        """Why the mirror's yum does not show a package that upstream has; else nothing."""
        why = self.hidden.get(spec, "")
        return _HIDDEN.get(why, why)

    def _near(self, spec: str) -> str:
        names = self.near.get(spec)
        return f" (did you mean {', '.join(names)}?)" if names else ""


class Obsoleted(GmError, fault="author", code=Exit.REFUSED):
    """Names of packages of which another one is installed, which obsoletes them: `by` says which.

    `places` says where in the manifest they are, as far as there is one.
    """

    text = "mirror {mirror}: resolving {specs}: {told:; }"
    public_text = text
    advice = "Name the newer package in its place."

    mirror: str
    by: dict[str, str]
    places: dict[str, str] = field(default_factory=dict)

    @property
    def specs(self) -> list[str]:
        """The names."""
        return list(self.by)

    @property
    def told(self) -> list[str]:
        """Each with its place, and what obsoletes it."""
        return [
            f"{_placed(spec, self.places)} is obsoleted by {self.by[spec]}" for spec in self.by
        ]


class Unresolvable(GmError, fault="author", code=Exit.REFUSED):
    """The packages exist, but what they need does not, or it conflicts: yum's words.

    `places` says where in the manifest they are, as far as there is one.
    """

    text = "mirror {mirror}: resolving {placed}: {words}"
    public_text = "mirror {mirror}: resolving {placed}: {words!p}"
    advice = "Take out one of the packages that conflict, or name a version that can be installed."

    mirror: str
    specs: list[str]
    words: str
    places: dict[str, str] = field(default_factory=dict)

    @property
    def hint(self) -> str:
        """What to do: about what is needed and hidden, where it is that."""
        if "is filtered out by exclude filtering" in self.words:
            return (
                "What it needs is excluded: have whoever runs the mirror change `exclude` in the "
                "settings of its yum."
            )
        if "nothing provides /" in self.words:
            return "Take it out; or, if all clients read filelists, set `filelists: true`."
        return self.advice

    @property
    def placed(self) -> list[str]:
        """Each spec with its place."""
        return [_placed(spec, self.places) for spec in self.specs]


class DiskFull(GmError, fault="operator", code=Exit.SET_UP):
    """The mirror's disk would not hold the download. Sizes in bytes."""

    text = "mirror {mirror}: downloading to {path}: {needed:,} bytes needed, {free:,} free"
    public_text = "mirror {mirror}: downloading: {needed:,} bytes needed, too few are free"
    advice = "`gm-analytics gc {mirror}` removes what retention does not keep; else add disk."

    mirror: str
    path: str
    needed: int
    free: int


class BytesDiffer(GmError, fault="author", code=Exit.REFUSED):
    """The pool holds these file names with other bytes; publishing them would poison caches."""

    text = "mirror {mirror}: adding {files}: the pool has the same NEVRA with other bytes"
    public_text = text
    advice = (
        "Name another version of them; if upstream only signed them again, `gm-analytics apply "
        "--accept-resigned` takes them."
    )
    public_advice = "Upstream changed these under the same name: name another version of them."

    mirror: str
    files: list[str]


class PoolIncomplete(GmError, fault="operator", code=Exit.SET_UP):
    """Files that a publication names were lost on the mirror, or are damaged."""

    text = "mirror {mirror}: the pool has lost these files, or has them damaged: {files}"
    public_text = text
    advice = "Run `gm-analytics repair {mirror}`: it fetches them from upstream, bit for bit."
    public_advice = _FOR_STRANGERS["operator"]

    mirror: str
    files: list[str]


class BadPackages(GmError, fault="author", code=Exit.REFUSED):
    """Downloaded files that are damaged or whose signature is refused."""

    text = "mirror {mirror}: checking downloaded packages: {words}"
    public_text = "mirror {mirror}: checking downloaded packages: {words!p}"
    advice = "Take these packages out until upstream has repaired or signed them."

    mirror: str
    words: str


class KeyMissing(BadPackages, fault="operator", code=Exit.SET_UP):
    """Signatures are to be checked, and the repository that a package is from names no key."""

    advice = (
        "Give the repository its `gpgkey=` in its file on the mirror's host; docs/security.md "
        "says which signatures are checked."
    )


class SameFileName(GmError, fault="upstream", code=Exit.REFUSED):
    """An upstream repository has two files of one name, which yum downloads to one place."""

    text = "mirror {mirror}: downloading: upstream has files of one name: {files:, }"
    public_text = "mirror {mirror}: downloading: upstream has files of one name: {files!p:, }"
    advice = "Ask for one of them at a time, and tell who keeps that repository."

    mirror: str
    files: list[str]


class AdoptionShort(GmError, fault="operator", code=Exit.SET_UP):
    """A plain repository cannot be taken over whole: clients would lose what it lacks."""

    text = (
        "mirror {mirror}: taking over the repository: its metadata name what is missing, or other "
        "bytes, or cannot be brought together in one directory: {files}{said}; nothing was taken "
        "over"
    )
    public_text = "mirror {mirror}: taking over its repository: files that it names are missing"
    advice = "Bring these files back, or have createrepo write its metadata without them."

    mirror: str
    files: list[str]
    words: str = ""

    @property
    def said(self) -> str:
        """What the programs said, if anything."""
        return f" ({self.words.strip()})" if self.words.strip() else ""


class UnreadablePublication(GmError, fault="operator", code=Exit.SET_UP):
    """What describes a publication cannot be read, by damage or since it is newer."""

    text = (
        "mirror {mirror}: {directory}/publication.json, which is {state}, cannot be read: "
        "{reason}; bring the file back from a backup or, unless a newer version wrote it, "
        "remove it{then}"
    )
    advice = "See the file on the mirror; `gm-analytics publications` lists what else is kept."

    mirror: str
    directory: str
    state: str
    """`live` or `kept`."""
    reason: str

    @property
    def then(self) -> str:
        """What follows from removing it."""
        same = ": the same packages stay live, and the next update builds on them"
        return same if self.state == "live" else ""


class BadAnswer(GmError, fault="operator", code=Exit.SET_UP):
    """The mirror printed something else than what was asked for."""

    text = "mirror {mirror}: {doing}: {message}"
    public_text = "mirror {mirror}: {doing!p}: not the answer that was asked for"
    advice = "See which program on the mirror printed that; docs/operations.md has those known."

    mirror: str
    doing: str
    message: str


class NotInstallable(GmError, fault="author", code=Exit.REFUSED):
    """The candidate repository alone cannot install these specs: yum's words."""

    text = "mirror {mirror}: proving that a client can install {specs}: {words}"
    public_text = "mirror {mirror}: proving that a client can install {specs}: {words!p}"
    advice = "Name what is missing in packages.json too, or take these packages out."

    mirror: str
    specs: list[str]
    words: str

    @property
    def hint(self) -> str:
        """What to do: another thing where two packages have one file."""
        if " conflicts between attempted installs of " in self.words:
            return "These packages have one file, and not the same: take one of them out."
        return self.advice


class PathsHidden(GmError, fault="upstream", code=Exit.REFUSED):
    """Packages require files that only filelists tell of, which many clients do not read."""

    text = "mirror {mirror}: required files that only filelists tell of: {needs:; }"
    public_text = "mirror {mirror}: required files that only filelists tell of: {needs!p:; }"
    advice = "Take out what needs them; or, if all clients read filelists, set `filelists: true`."
    public_advice = "Take out what needs them: many clients would not find these files."

    mirror: str
    needs: list[str]


class SigningFailed(GmError, fault="operator", code=Exit.SET_UP):
    """The mirror's key is missing, cannot be used, or did not sign."""

    text = "signing key in {home}: {doing}: {message}"
    public_text = "signing the metadata: {doing!p}: failed; the service's log says more"
    advice = "`gm-analytics key` makes one that is missing; `gpg --homedir {home} -K` lists it."

    home: str
    doing: str
    message: str


class SignedBefore(GmError, fault="operator", code=Exit.SET_UP):
    """What a mirror serves is signed, and this service would publish without a signature."""

    text = (
        "mirror {mirror}: its metadata is signed {by}, and the configuration has no signing_home: "
        "clients that want a signature would refuse what is published now"
    )
    public_text = "mirror {mirror}: its metadata is signed, and the service has no key"
    advice = (
        "Give it its signing_home again and restart the service, or say `signing: off` once no "
        "client wants a signature."
    )

    mirror: str
    by: str


class MetadataForged(GmError, fault="operator", code=Exit.UNTRUSTED):
    """Metadata on the mirror says something else than the service knows: it does not sign it."""

    text = (
        "mirror {mirror}: comparing {file} with what is published: found {found}; "
        "expected {expected}; nothing was signed"
    )
    public_text = "mirror {mirror}: its metadata say something else: nothing was signed"
    advice = "Find out who else writes to the mirror, before you run the update again."

    mirror: str
    file: str
    found: str
    expected: str


class Untrusted(GmError, fault="operator", code=Exit.UNTRUSTED):
    """What a mirror with a key holds is not what this service signed: nothing is built on it."""

    text = "mirror {mirror}: reading {what}: {reason}. Nothing is built on it"
    public_text = "mirror {mirror}: it holds what this service did not sign; nothing was built"
    advice = (
        "Find out who changed it; to trust the mirror once more as it is now, run "
        "`gm-analytics adopt {mirror}`."
    )

    mirror: str
    what: str
    reason: str


class FileTooLarge(GmError, fault="operator", code=Exit.SET_UP):
    """A file on the mirror is larger than any that belongs there, or no file at all."""

    text = "mirror {mirror}: reading {path}: expected a file of at most {most:,} bytes"
    public_text = "mirror {mirror}: reading a file: larger than it may be, or no file"
    advice = "Find out what put it there, and remove it."

    mirror: str
    path: str
    most: int


class Overtaken(GmError, fault="operator", code=Exit.NOT_NOW):
    """Another writer published while a candidate was being built on the older set.

    Doing the same step again would not help: the candidate has to be built again.
    """

    waits_for: ClassVar[WaitsFor | None] = "lock"
    text = "mirror {mirror}: publishing: built on {base}, but {live} is live"
    public_text = "mirror {mirror!p}: publishing: built on {base!p}, but {live!p} is live"
    advice = "Run the update again once the other writer has ended."
    public_advice = _LATER

    mirror: str
    base: str
    live: str


class UnknownPublication(GmError, fault="operator", code=Exit.REFUSED):
    """The mirror keeps no publication of this number."""

    text = "mirror {mirror}: publication {number}: {known}"
    public_text = "mirror {mirror!p}: publication {number!p}: {known!p}"
    advice = "`gm-analytics publications {mirror}` lists those that are kept."

    mirror: str
    number: str
    kept: list[str]

    @property
    def known(self) -> str:
        """What there is."""
        return f"unknown; kept are {', '.join(self.kept)}" if self.kept else "nothing is published"


class RollbackRefused(GmError, fault="operator", code=Exit.REFUSED):
    """An older publication cannot be made live again."""

    text = "mirror {mirror}: rolling back to publication {number}: {reason}"
    public_text = "mirror {mirror!p}: rolling back to publication {number!p}: {reason!p}"
    advice = (
        "`gm-analytics publications {mirror}` lists those that are kept; `gm-analytics repair "
        "--publication N` fetches lost files."
    )

    mirror: str
    number: str
    reason: str


class LockMismatch(GmError, fault="author", code=Exit.WRONG_USE):
    """Not a lock file, or one that was made for another manifest."""

    text = "lock file: {problems:; }"
    public_text = "lock file: {problems!p:; }"
    advice = "`gm-analytics lock` makes one of what is live; it goes with that manifest alone."

    problems: list[str]


class LockBroken(GmError, fault="upstream", code=Exit.REFUSED):
    """What a lock file names cannot be had bit for bit: every RPM, and what is wrong with it."""

    text = "mirror {mirror}: following the lock file: {problems:; }"
    public_text = "mirror {mirror}: following the lock file: {problems!p:; }"
    advice = (
        "Apply the manifest without the lock file, and make a new one with `gm-analytics lock`."
    )

    mirror: str
    problems: list[str]


class NotVisible(TransientError, fault="operator", code=Exit.NOT_NOW):
    """The web server does not (yet) serve what was published."""

    waits_for: ClassVar[WaitsFor | None] = "web server"
    text = "mirror {mirror}: reading {url}: {message}"
    public_text = "mirror {mirror}: reading what is served: not yet what was published"
    advice = "See that the web server is up, serves the mirror's root and follows its links."

    mirror: str
    url: str
    message: str

    @property
    def hint(self) -> str:
        """What to do: about a cache, if one answered."""
        if "a cache answered" in self.message:
            return (
                "Have that cache ask the web server for each repomd.xml (which should say `Cache-"
                "Control: no-cache`), or go round it: mirrors[].proxy, `NO_PROXY`."
            )
        return self.advice


# --- store ------------------------------------------------------------------------------


class StoreUnavailable(TransientError, fault="operator", code=Exit.NOT_NOW):
    """The durable store cannot be read or written."""

    waits_for: ClassVar[WaitsFor | None] = "store"
    text = "store: {doing}: {message}"
    public_text = "the store does not answer"
    advice = "See that the database of database_url answers, and that this account may write it."

    doing: str
    message: str


class ForeignFormat(GmError, fault="operator", code=Exit.SET_UP):
    """A stored value that the service did not write; it is not decoded. A pickle would be run."""

    text = "store: reading a value: it was stored as {written_as}, which is refused"
    advice = "Find out who else writes to the store; deliver the update again."

    written_as: str


class UnknownUpdate(GmError, fault="operator", code=Exit.REFUSED):
    """No update of this id, or several whose ids begin so."""

    text = "update {update_id}: {known}"
    public_text = "no such update"
    advice = "`gm-analytics updates` lists the newest."

    update_id: str
    several: list[str] = field(default_factory=list)

    @property
    def known(self) -> str:
        """What is known of it."""
        return f"several begin so: {', '.join(self.several)}" if self.several else "unknown"


class Cancelled(GmError, fault="operator", code=Exit.REFUSED):
    """Somebody wanted an update to end before clients see what it does."""

    text = "cancelled by {asked_by}"
    public_text = "cancelled by whoever runs the service"
    advice = "`gm-analytics retry` with its id runs it again."
    public_advice = "Close and reopen the pull request to have it run again."

    asked_by: str


class TakenTooOften(GmError, fault="ourselves", code=Exit.DEFECT):
    """So many workers began an update and ended before it did that it may be what ends them."""

    text = "given up: worker after worker ended before it did"
    public_text = "given up: the service ended again and again before it did"
    advice = "See the workers' logs for how they ended; `gm-analytics retry` runs it again."


def _subclasses(cls: type[GmError]) -> list[type[GmError]]:
    direct = cls.__subclasses__()
    return direct + [deeper for child in direct for deeper in _subclasses(child)]
