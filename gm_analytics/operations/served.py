"""Whether clients see what lies on a mirror, and if not why: a part of `check`."""

from __future__ import annotations

from collections.abc import Iterator

from gm_analytics import settings
from gm_analytics.errors import GmError, NotVisible
from gm_analytics.mirror.examined import LINKED, PLAIN
from gm_analytics.mirror.served import Differs, Served, wait_until_visible
from gm_analytics.mirror.session import Session
from gm_analytics.mirror.survey import Survey
from gm_analytics.operations import standing
from gm_analytics.operations.findings import Finding, wrong

_LINKS = (
    "What is live is a link: nginx needs `disable_symlinks if_not_owner` or `off`, Apache "
    "`Options FollowSymLinks`."
)
_CURES = {
    "401": "Let it ask the service, and clients, for no password.",
    "403": (
        "Let its account read {root}: all may enter it and what is above it; with SELinux "
        "`semanage fcontext -a -t httpd_sys_content_t '{root}(/.*)?' && restorecon -R {root}`."
    ),
    "redirects": "Give mirrors[].url the address that it redirects to.",
    "certificate": "Name who signed it in mirrors[].ca_file, or have a usual authority sign it.",
}
_SERVE = "Have it serve {root} there: docs/operations.md has what is asked of a web server."
_REACH = "See that it is up, that its name is resolved here, and that no firewall is between."


def findings(
    mirror: settings.Mirror, session: Session, found: Survey, probe: tuple[str, str] | None
) -> Iterator[Finding]:
    """Compare what is served with what is live; if that differs, with a probe's name and word."""
    subject, error = f"mirror {mirror.name} web", None
    if found.state == "live":
        try:
            _see(mirror, session, found)
        except GmError as caught:
            error = caught
        else:
            yield Finding(subject, "ok", f"{_through(mirror)} serves the live publication")
            yield standing.address(mirror, session.get, found)
            return
    if probe:
        yield _probed(subject, mirror, probe, error)
    elif error:
        yield wrong(subject, error)


def _see(mirror: settings.Mirror, session: Session, found: Survey) -> None:
    """See what is live; once more if an update published another one meanwhile."""
    try:
        wait_until_visible(mirror, found.repomd)
    except NotVisible:
        now = session.host.look()
        if now.live == found.live:
            raise
        wait_until_visible(mirror, now.repomd)


def _probed(
    subject: str, mirror: settings.Mirror, probe: tuple[str, str], error: GmError | None
) -> Finding:
    """Say whether the web server serves the root, and its links."""
    name, word = probe
    with Served(mirror, f"{name}/") as web:
        plain, linked = (_differs(web, path, word) for path in (PLAIN, LINKED))
    where, root = _through(mirror), mirror.root
    if plain and plain.unknown:
        return Finding(subject, "fail", f"{where}: {plain.said}", _cure(plain.said, _REACH, root))
    if plain:
        said = f"{where} does not serve {root}: asked for a file that lies there: {plain.said}"
        return Finding(subject, "fail", said, _cure(plain.said, _SERVE, root))
    if linked:
        said = f"{where} serves {root}, but follows no links there: {linked.said}"
        return Finding(subject, "fail", said, _LINKS)
    if error:
        return wrong(subject, error)
    return Finding(subject, "ok", f"{where} serves {root}, and follows its links")


def _differs(web: Served, path: str, word: str) -> Differs | None:
    try:
        web.holds(path, word.encode())
    except Differs as error:
        return error
    return None


def _cure(said: str, usual: str, root: str) -> str:
    found = next((cure for word, cure in _CURES.items() if word in said), usual)
    return found.format(root=root)


def _through(mirror: settings.Mirror) -> str:
    with Served(mirror) as web:
        return f"{mirror.base_url}{web.through}"
