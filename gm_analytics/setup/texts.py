"""The files that are made from templates: configuration, units, the mirror's nginx and script.

Pure: values in, text out. `templates/*` are the files as they are read, with `@name@` for a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

from gm_analytics import settings
from gm_analytics.remote.commands import quote
from gm_analytics.setup.accounts import Accounts
from gm_analytics.setup.answers import Answers
from gm_analytics.setup.places import Places

UNIT_NAMES = ("gm-analytics-web.service", "gm-analytics-worker.service")
_PLACEHOLDER = re.compile("@([a-z_]+)@")


def filled(name: str, values: Mapping[str, object]) -> str:
    """Give a template with its values; a line whose one value is empty goes.

    Raises:
        KeyError: it wants a value that is not given.

    """
    lines = []
    for line in _template(name).splitlines():
        text = _PLACEHOLDER.sub(lambda found: str(values[found[1]]), line)
        if text or not line:
            lines.append(text)
    return "".join(f"{line}\n" for line in lines)


@cache
def _template(name: str) -> str:
    return (files("gm_analytics.setup") / "templates" / name).read_text("utf-8")


def configuration(answers: Answers, places: Places) -> str:
    """Give the text of config.yaml, with comments."""
    return filled(
        "config.yaml",
        {
            **vars(places),
            **vars(answers),
            "repositories": "\n".join(f"    - {name}" for name in answers.repositories),
            "public_url": _line("public_url", answers.public_url, "https://ci.example.com"),
            "module_platform_id": _line("      module_platform_id", answers.module_platform_id),
        },
    )


def _line(key: str, value: str, example: str = "") -> str:
    if value:
        return f"{key}: {value}"
    return f"# {key}: {example}" if example else ""


def units(places: Places, accounts: Accounts, program: str, port: int) -> dict[str, str]:
    """Give the text of each systemd unit by its name."""
    values = {
        **vars(places),
        "web": accounts.web_name,
        "worker": accounts.worker_name,
        "group": accounts.group_name,
        "program": program,
        "port": port,
    }
    return {name: filled(name, values) for name in UNIT_NAMES}


# --- for the mirror ---------------------------------------------------------------------------


def authorized_key(public: str, sources: tuple[str, ...] = ()) -> str:
    """Give the line of `authorized_keys`, which allows commands and nothing else."""
    origin = f',from="{",".join(sources)}"' if sources else ""
    return f"restrict{origin} {public}"


def mirror_script(mirror: settings.Mirror, key: str) -> str:
    """Give the script that prepares a mirror's host, Debian or EL, for root to read and run."""
    values = {
        "account": mirror.user,
        "root": mirror.root,
        "reposdir": mirror.upstream.reposdir,
        "key": key,
        "sshd_conf": filled("sshd.conf", {"account": mirror.user}),
        "nginx_conf": nginx(mirror),
        "upstream_repo": filled("upstream.repo", {"release": mirror.upstream.releasever}),
    }
    words = {name: quote((value.rstrip("\n"),)) for name, value in values.items()}
    head = "\n".join(f"{name}={word}" for name, word in words.items())
    return filled("mirror-setup.sh", {"host": mirror.address, "values": head})


def nginx(mirror: settings.Mirror) -> str:
    """Give the part of nginx's configuration that serves the mirror."""
    parts = urlsplit(mirror.base_url)
    names = dict.fromkeys((parts.hostname or mirror.name, mirror.name, mirror.address))
    return filled(
        "nginx.conf",
        {
            "name": " ".join(names),
            "root": mirror.root,
            "path": parts.path,
            "pattern": parts.path.replace(".", r"\."),
            "port": parts.port if parts.scheme == "http" and parts.port else 80,
        },
    )
