"""What `init` asks: by an option each, and on a terminal for what no option said."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gm_analytics.rpm.grammar import Grammar
from gm_analytics.setup import answers, places
from gm_analytics.setup.answers import Answers


class Form(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.3 on
    """An answer that has a grammar."""

    name = "text"

    def __init__(self, form: Grammar) -> None:
        self.form = form

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check one."""
        try:
            return answers.checked(self.form, str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _option(name: str, form: Grammar, said: str, **more: Any) -> Any:
    return click.option(name, type=Form(form), help=said, show_default="default" in more, **more)


def _flag(name: str, said: str) -> Any:
    return click.option(name, is_flag=True, help=said)


def _port(name: str, default: int, said: str) -> Any:
    span = click.IntRange(1, 65535)
    return click.option(name, type=span, default=default, show_default=True, help=said)


def _directory(name: str, said: str, **more: Any) -> Any:
    kind = click.Path(file_okay=False, path_type=Path)
    return click.option(name, type=kind, help=said, **more)


_PUBLISH = click.option(
    "--publish",
    type=click.Choice(["on_pull_request", "on_merge"]),
    default="on_pull_request",
    show_default=True,
    help="When packages are published.",
)
ANSWERS = (
    _option("--repository", answers.REPOSITORY, "OWNER/NAME whose pull requests count; may be "
            "given again.", multiple=True),
    _option("--mirror", answers.HOST, "The mirror's host, as SSH and clients reach it."),
    _option("--url", answers.URL, "Its address for clients; by default http://MIRROR/repo/."),
    _option("--release", answers.RELEASE, "What packages are solved for, such as 9."),
    _option("--public-url", answers.URL, "How GitHub reaches this service."),
    _PUBLISH,
    _option("--user", answers.ACCOUNT, "The account on the mirror.", default="mirror"),
    _port("--port", 22, "sshd's port on the mirror."),
    _option("--root", answers.PATH, "The repository's directory there.", default="/var/repo"),
    _option("--reposdir", answers.PATH, "Where the repository files are there that packages "
            "come from.", default="/etc/gm-mirror/yum.repos.d"),
)  # fmt: skip
"""What the configuration is made of."""
TRUST = (
    _option("--host-key", answers.FINGERPRINT, "The fingerprint that the mirror's host key must "
            "have: SHA256:…"),
    _flag("--accept-host-keys", "Pin whatever host key the mirror offers now: only where nobody "
          "can be in between."),
    _flag("--no-host-key", "Pin none yet; run init again for it."),
)  # fmt: skip
PLACES = (
    _directory("--directory", "For configuration and keys; by default /etc/gm_analytics for "
               "root, else ~/.config/gm_analytics."),
    _directory("--state", "For the store; by default /var/lib for root, else ~/.local/state."),
    _option("--account", answers.ACCOUNT, "The worker's account; by default gm_analytics for "
            "root, else your own."),
    _option("--web-account", answers.ACCOUNT, "The web's account; by default gm_analytics_web "
            "for root, else the worker's."),
    _directory("--units", "Write systemd units too, to /etc/systemd/system if no directory is "
               "given.", is_flag=False, flag_value=str(places.UNITS)),
    _port("--listen-port", 8080, "The port on loopback, in the units."),
)  # fmt: skip


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all of these options, in this order."""
    for option in reversed((*ANSWERS, *TRUST, *PLACES)):
        command = option(command)
    return command


def ask(given: dict[str, Any]) -> Answers:
    """Give the answers, of options and of a person.

    Raises:
        click.UsageError: one is missing, and there is no terminal.

    """
    question = "GitHub repository (owner/name)"
    repositories = given["repository"] or (_ask("--repository", question, answers.REPOSITORY),)
    mirror = given["mirror"] or _ask("--mirror", "The mirror's host", answers.HOST)
    usual = answers.default_url(mirror)
    url = given["url"] or _ask("", "The mirror's address for clients", answers.URL, usual)
    release = given["release"] or _ask("", "Upstream release", answers.RELEASE, "9")
    public_url = given["public_url"] or _public_url()
    rest = {name: given[name] for name in ("port", "user", "root", "reposdir", "publish")}
    return Answers(tuple(repositories), mirror, url, release, public_url=public_url, **rest)


def _ask(option: str, question: str, form: Grammar, usual: str | None = None) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(question, type=Form(form), default=usual))
    if usual is None:
        raise click.UsageError(f"standard input is no terminal, so nobody is asked: give {option}")
    return usual


def _public_url() -> str:
    if not sys.stdin.isatty():
        return ""
    question = "This service's address for GitHub (empty: not known yet)"
    form = Form(answers.URL)

    def read(text: str) -> str:
        return form.convert(text, None, None) if text.strip() else ""

    return str(click.prompt(question, default="", show_default=False, value_proc=read))
