"""What may import what: rooms from the inside out, as docs/architecture.md describes them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "gm_analytics"
MODULES = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.glob("*.py")}

PURE = {
    "errors", "webhook", "manifest", "plan", "wanted", "near", "comps", "commands", "yum",
    "repository", "history", "retention", "lock", "records", "feedback",
}  # fmt: skip
"""Bytes and values in, values out."""
ROOMS: dict[str, set[str]] = {
    # The core: nothing but the errors.
    "errors": set(),
    "plan": {"errors"},
    "wanted": {"plan"},
    "near": {"plan"},
    "records": {"errors", "plan"},
    "webhook": {"errors", "records"},
    "manifest": {"errors"},
    "comps": {"errors"},
    "commands": {"errors"},
    "yum": {"commands", "plan"},
    "repository": {"commands"},
    "history": {"commands", "plan", "repository", "yum"},
    "retention": {"history"},
    "lock": {"errors", "history", "manifest", "plan"},
    "feedback": {"errors", "manifest", "plan", "records"},
    # Configuration is a value once it is read, so the adapters may be made of it.
    "settings": {"errors"},
    "github": {"errors", "manifest", "settings"},
    "ssh": {"errors", "commands", "settings"},
    "signing": {"errors"},
    # A mirror, from the inside out: a host, yum on it, its past, the steps of an update.
    "host": {"errors", "plan", "commands", "yum", "repository", "settings", "ssh", "signing"},
    "solver": {"errors", "plan", "comps", "near", "commands", "yum", "host"},
    "archive": PURE - {"webhook", "manifest", "records", "feedback", "comps", "near", "wanted"}
    | {"settings", "solver"},
    "mirror": PURE - {"webhook", "manifest", "records", "feedback", "lock", "retention", "near"}
    | {"settings", "ssh", "signing", "host", "archive"},
    # The story knows its parts' values, and no GitHub and no store; `Session` is a type to it.
    "updates": {"errors", "manifest", "plan", "commands", "history", "lock", "records", "mirror"},
    # The store keeps the story's values.
    "store": {"errors", "records", "updates"},
    "pages": {"records"},
    # The one place where the parts are put together.
    "service": PURE | {"settings", "github", "signing", "mirror", "updates", "store"},
    # The outside.
    "checks": PURE | {"settings", "mirror", "service"},
    "handlers": PURE | {"__init__", "store", "pages", "service"},
    "app": PURE | {"handlers"},
    "console": PURE | {"service"},
    "drift": PURE | {"settings", "github", "service"},
    "cli_mirror": PURE | {"service", "console", "drift"},
    "cli": PURE
    | {"__init__", "store", "service", "checks", "console", "cli_mirror"}
    | {"handlers", "app"},
    "__init__": set(),
}
IO_MODULES = {
    "asyncio", "ctypes", "dbos", "fabric", "fcntl", "glob", "http", "httpx", "importlib",
    "invoke", "io", "logging", "multiprocessing", "os", "paramiko", "pickle", "random",
    "requests", "secrets", "select", "shutil", "signal", "socket", "sqlalchemy", "sqlite3",
    "ssl", "subprocess", "sys", "tempfile", "threading", "time",
}  # fmt: skip
IO_NAMES = {"open", "input", "exec", "eval", "Path", "PosixPath", "urlopen"}
EXTERNAL = {
    "requests": {"github", "mirror", "checks", "drift", "cli"},
    "fabric": {"ssh"},
    "gnupg": {"signing"},
    "invoke": {"ssh"},
    "paramiko": {"ssh"},
    "dbos": {"store"},
    "sqlalchemy": {"store"},
    "yaml": {"settings"},
    "connexion": {"app", "handlers"},
    "flask": {"handlers"},
    "click": {"console", "cli", "cli_mirror"},
    "uvicorn": {"cli"},
    "jinja2": {"pages"},
    "subprocess": set(),
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


def rooms(module: ast.Module) -> set[str]:
    """Give the rooms of ours that a module imports from."""
    ours = {name.split(".")[1] for name in imports(module) if name.startswith("gm_analytics.")}
    return {name if name in MODULES else "__init__" for name in ours}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_from_the_rooms_it_may(name: str) -> None:
    assert name in ROOMS, "a new module has a line in ROOMS"
    assert rooms(MODULES[name]) <= ROOMS[name]


def test_no_rule_is_left_of_a_module_that_is_gone() -> None:
    assert set(ROOMS) == set(MODULES)


def test_imports_go_one_way() -> None:
    """The table itself has no circle: each room is listed after all that it may import."""
    seen = {"__init__"}
    for name, allowed in ROOMS.items():
        assert allowed <= seen, f"{name} may import what comes after it"
        seen.add(name)


@pytest.mark.parametrize("name", sorted(PURE))
def test_the_core_does_no_io(name: str) -> None:
    found = {full.split(".")[0] for full in imports(MODULES[name])}
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


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"commands"}))
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
