"""What is left to do after `init`, in the order of doing it; and the lines that it takes.

Pure: values in, text out.
"""

from __future__ import annotations

from pathlib import Path

from gm_analytics import settings
from gm_analytics.setup.accounts import Accounts
from gm_analytics.setup.places import UNITS
from gm_analytics.setup.texts import UNIT_NAMES, authorized_key

CLIENT_FILE = "/etc/yum.repos.d/gm-mirror.repo"
WEBHOOK_PATH = "/ci_server/updates"
_EVENTS = {"on_pull_request": "Pull requests", "on_merge": "Pull requests, and Pushes"}


def steps(
    config: settings.Settings,
    where: Path,
    accounts: Accounts,
    public: str,
    *,
    secret: Path | None,
    units: Path | None,
) -> str:
    """Give what a person does next, numbered.

    `public` is the key by which the service logs in; `secret` the file of the webhook's secret;
    `units` the directory of units that were written.
    """
    parts = [
        *(_mirror(mirror, where, public) for mirror in config.mirrors),
        _run(where, accounts, units),
        _check(where, accounts),
        _webhook(config, f"what `cat {secret}` prints" if secret else f"that of {where}"),
        *(_client(mirror, where) for mirror in config.mirrors),
    ]
    return "\n\n".join(f"{number}. {part}" for number, part in enumerate(parts, 1))


def _mirror(mirror: settings.Mirror, where: Path, public: str) -> str:
    option = _option(where)
    return (
        f"Prepare the mirror {mirror.name}, as root there. This prints a script to read first:\n"
        f"     gm-analytics mirror-setup{option} --mirror {mirror.name} > mirror-setup.sh\n"
        f"     ssh root@{mirror.address} sh -s < mirror-setup.sh\n"
        f"   If you prepare it yourself, the authorized_keys of {mirror.user} need this line:\n"
        f"     {authorized_key(public)}"
    )


def _webhook(config: settings.Settings, secret: str) -> str:
    if config.polls:
        return "Nothing to do at GitHub: it is only looked at (intake: poll)."
    base = str(config.public_url or "https://ADDRESS-OF-THIS-SERVICE").rstrip("/")
    forms = "\n".join(
        f"     {_forge(config)}/{name}/settings/hooks/new" for name in config.webhook.repositories
    )
    return (
        f"Have a web server with a certificate lead {base} to this service (docs/install.md has\n"
        f"   one for nginx), and add the webhook at GitHub:\n{forms}\n"
        f"     Payload URL       {base}{WEBHOOK_PATH}\n"
        "     Content type      application/json\n"
        f"     Secret            {secret}\n"
        f"     Individual events {_EVENTS[config.publish]}"
    )


def _forge(config: settings.Settings) -> str:
    """Give the address of GitHub's own pages, or of an Enterprise Server's."""
    host = config.github.api_url.host
    return "https://github.com" if host == "api.github.com" else f"https://{host}"


def _check(where: Path, accounts: Accounts) -> str:
    names = dict.fromkeys((accounts.worker_name, accounts.web_name))
    option = _option(where)
    lines = "\n".join(f"     {_as(name, accounts)}gm-analytics check{option}" for name in names)
    return f"Have every part checked:\n{lines}"


def _as(name: str, accounts: Accounts) -> str:
    """Give the words that run a command as an account, if that is another one than who asks."""
    other = accounts.worker if name == accounts.worker_name else accounts.web
    return "" if other.uid == accounts.root.uid else f"runuser -u {name} -- "


def _run(where: Path, accounts: Accounts, units: Path | None) -> str:
    if units is None:
        return (
            "Start it, as one process; `init --units` writes systemd units for two:\n"
            f"     gm-analytics serve{_option(where)}"
            if not accounts.are_two
            else "Have the units written, and start them:\n     gm-analytics init --units"
        )
    return (
        "Start it:\n     systemctl daemon-reload\n"
        f"     systemctl enable --now {' '.join(UNIT_NAMES)}"
        + ("" if units == UNITS else f"\n   once the units are moved from {units} to {UNITS}.")
    )


def _client(mirror: settings.Mirror, where: Path) -> str:
    named = f"{_option(where)} --mirror {mirror.name}"
    return (
        f"Once it has published, put what `gm-analytics client{named}`\n"
        f"   prints into {CLIENT_FILE} of each client of {mirror.name}."
    )


def _option(where: Path) -> str:
    return "" if where == settings.PLACE else f" --config {where}"
