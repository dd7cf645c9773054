"""What the rooms promise beside the imports that `lint-imports` checks (pyproject.toml)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "gm_analytics"


def _name(path: Path) -> str:
    """Give a module's name below the package: `mirror.yum`; a package's own is its room's."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {_name(path): ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}

PURE = {
    "errors", "wording", "manifest", "json_text", "mistakes", "pasted", "places",
    "remote.commands", "updates.model",
    "updates.states", "updates.waiting",
    "setup.answers", "setup.ssh_key",
    "github.webhook", "pull_requests.feedback", "pull_requests.markdown",
    "mirror.survey", "mirror.yum", "mirror.repository", "mirror.history", "mirror.retention",
    "mirror.lock", "mirror.publication", "mirror.sight", "mirror.host_facts",
    "updates.audit", "updates.wishes", "mirror.ownership",
    *(name for name in MODULES if name.startswith("rpm.")),
}  # fmt: skip
"""Bytes and values in, values out."""
IO_MODULES = {
    "asyncio", "ctypes", "dbos", "fabric", "fcntl", "glob", "http", "httpx", "importlib",
    "invoke", "io", "logging", "multiprocessing", "os", "paramiko", "pickle", "random",
    "requests", "secrets", "select", "shutil", "signal", "socket", "sqlalchemy", "sqlite3",
    "ssl", "subprocess", "sys", "tempfile", "threading", "time",
}  # fmt: skip
SCRIPTS = ("remote.commands", "importlib.resources.files")
"""The one module that reads the package's own scripts, which are as constant as its code."""
IO_NAMES = {"open", "input", "exec", "eval", "Path", "PosixPath", "urlopen"}
EXTERNAL = {
    "requests": {
        "github.api",
        "mirror.served",
        "remote.basic",
        "remote.fetch",
        "remote.local",
        "cli.updates",
    },
    "fabric": {"remote.opening"},
    "gnupg": {"mirror.keyring", "mirror.signing"},
    "invoke": set(),
    "paramiko": {
        "remote.channel",
        "remote.host_keys",
        "remote.known_hosts",
        "remote.lock",
        "remote.opening",
        "remote.ssh",
    },
    "dbos": {
        "engine.attempts",
        "engine.housekeeping",
        "engine.client",
        "engine.durable",
        "engine.serializer",
        "engine.steps",
        "engine.worker",
    },
    "sqlalchemy": {
        "engine.at_work",
        "engine.attempts",
        "engine.audit",
        "engine.beside",
        "engine.by_hand",
        "engine.catalogue",
        "engine.package_history",
        "engine.changing",
        "engine.search",
        "engine.searched",
        "engine.sights",
        "engine.standings",
        "engine.view_tables",
        "engine.views",
        "engine.watching",
        "engine.wishes",
        "engine.cancelling",
        "engine.client",
        "engine.clock",
        "engine.database",
        "engine.durable",
        "engine.figures",
        "engine.handover",
        "engine.holding",
        "engine.housekeeping",
        "engine.identity",
        "engine.in_flight",
        "engine.index",
        "engine.looks",
        "engine.unseen",
        "engine.given_up",
        "engine.lease_tables",
        "engine.leases",
        "engine.listing",
        "engine.output",
        "engine.output_tables",
        "engine.progress",
        "engine.queries",
        "engine.event_tables",
        "engine.seen",
        "engine.taking",
        "engine.run",
        "engine.schema",
        "engine.worker",
        "engine.waiting",
        "engine.workforce",
    },
    "yaml": {"contract", "misconfigured", "operations.rpms_lock", "rpm.modulemd", "settings"},
    "cyclonedx": {"operations.cyclonedx"},
    "spdx_tools": {"operations.spdx"},
    "license_expression": {"operations.spdx"},
    "packageurl": {"operations.purls"},
    "connexion": {
        "contract",
        "web.answers",
        "web.app",
        "web.json_api",
        "web.operator",
        "handlers",
    },
    "starlette": {"web.answers"},
    "flask": {"handlers"},
    "click": {
        f"cli.{name}"
        for name in (
            "audit",
            "changes",
            "client",
            "commands",
            "init",
            "mirror_setup",
            "mirrors",
            "opened",
            "output",
            "publications",
            "questions",
            "registration",
            "serve",
            "set_up",
            "tunnel",
            "updates",
            "webhook",
        )
    },
    "uvicorn": {"web.server"},
    "structlog": {"cli.log_lines"},
    "prometheus_client": {"web.metrics"},
    "jinja2": {"web.pages", "web.rendering"},
    "subprocess": {"operations.tunnel"},
    "pickle": set(),
}
"""Who may know of a library; the others would have to be changed with it."""


def imports(module: ast.Module) -> Iterator[str]:
    """Give the full names of all that a module imports, wherever it does."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("name", sorted(PURE))
def test_the_core_does_no_io(name: str) -> None:
    found = {full.split(".")[0] for full in imports(MODULES[name]) if (name, full) != SCRIPTS}
    assert not found & IO_MODULES
    used = {node.id for node in ast.walk(MODULES[name]) if isinstance(node, ast.Name)}
    assert not used & IO_NAMES


@pytest.mark.parametrize("library", sorted(EXTERNAL))
def test_a_library_is_known_to_its_adapter_alone(library: str) -> None:
    users = {
        name
        for name, module in MODULES.items()
        if library in {full.split(".")[0] for full in imports(module)}
    }
    assert users <= EXTERNAL[library]


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"remote.commands"}))
def test_words_for_a_shell_are_quoted_in_one_place(name: str) -> None:
    assert not {"shlex", "pipes"} & {full.split(".")[0] for full in imports(MODULES[name])}


def public(node: ast.AST, at: str) -> Iterator[tuple[str, ast.AST]]:
    """Give a module's or class's public functions and classes, and what is in those."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if not child.name.startswith("_"):
            yield f"{at}.{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from public(child, f"{at}.{child.name}")


@pytest.mark.parametrize("name", sorted(MODULES))
def test_everything_public_has_a_docstring(name: str) -> None:
    named = [(name, MODULES[name]), *public(MODULES[name], name)]
    assert [at for at, node in named if not ast.get_docstring(node)] == []  # type: ignore[arg-type]


def test_no_module_is_long() -> None:
    """All are below 300 lines but the list of errors; the composition is the smallest."""
    most = {"errors": 2_000, "service": 120}
    lengths = {_name(path): path.read_text("utf-8").count("\n") for path in PACKAGE.rglob("*.py")}
    assert {name: n for name, n in lengths.items() if n > most.get(name, 300)} == {}
