"""What is wrong with a manifest, in words for who wrote it. No I/O."""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from typing import Any

from gm_analytics.rpm.grammar import SPEC

MAX_SHOWN = 60
"""Characters of the author's own text that are repeated: it fits a line."""
ACCEPTED = (
    "a package name (tree), name-version (nmap-7.92), name.arch, an absolute path below "
    "/usr or /etc, a capability (perl(JSON::XS)), a group (@development), or a module's stream "
    "(@nodejs:20)"
)
_REASONS = (
    (re.compile(r"-.*", re.DOTALL), "an option"),
    (re.compile(r"[a-z][a-z0-9+.-]*://.*", re.DOTALL | re.IGNORECASE), "a URL"),
    (re.compile(r".*[^\x20-\x7e].*", re.DOTALL), "a character that is not printable ASCII"),
    (re.compile(r"#.*"), "a comment"),
    (re.compile(r".*\|\|.*"), "two commands, one in place of the other"),
    (re.compile(r".*\|.*"), "a pipe"),
    (re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*"), "an assignment"),
    (re.compile(r".*[<>].*"), "a redirection or a comparison"),
    (re.compile(r".*(\$\(|`).*"), "a command within a command"),
    (re.compile(r".*\$.*"), "a shell variable"),
    (re.compile(r".*[*?\[\]].*"), "a glob"),
    (re.compile(r".*[\"'].*"), "a quote"),
    (re.compile(r"@.* .*"), "no name of a group"),
    (re.compile(r".* .*"), "a blank in a name"),
    (re.compile(r"[/.].*"), "a path outside /usr and /etc"),
    (re.compile(r"@[^:]+:(/.*)?"), "a module without a stream"),
    (re.compile(r".*[^A-Za-z0-9._+~^:@/-].*"), "a shell character"),
)
_NO_JSON = (
    ("Expecting value", "a value is missing, or not in double quotes"),
    ("Expecting property name", "a name in double quotes is missing"),
    ("Illegal trailing comma", "a comma behind the last one"),
    ("Expecting ',' delimiter", "a comma or a bracket is missing"),
    ("Expecting ':' delimiter", "a colon is missing"),
    ("Extra data", "something follows the end"),
    ("Unterminated string", "a quote that is not closed"),
    ("Invalid control character", "a line end or a tab within quotes"),
    ("Invalid \\", "a backslash that means nothing"),
)
"""What the parser says, and what it means to who wrote the file."""


_BEGINNINGS = (
    (re.compile(r"version https://git-lfs\."), "a pointer of Git LFS, and not the file"),
    (re.compile(r"- |---\n|packages:"), "YAML"),
    (re.compile(r"<"), "HTML or XML"),
)
"""What other kinds of text begin with."""
_CONFLICT = "<<<<<<< "
_AT_A_PLACE = (
    (re.compile(r"//|/\*|#"), "a comment, which JSON does not have"),
    (re.compile("'"), "single quotes: JSON has double ones"),
    (re.compile("[\u201c\u201d\u201e\u2018\u2019]"), "quotes of a word processor"),
    (re.compile("True|False|None"), "a word of Python"),
)


def not_json(error: Exception) -> str:
    """Say what is wrong with a text that cannot be read as JSON."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is no UTF-8"
    if isinstance(error, RecursionError):
        return "too many brackets within each other"
    if not isinstance(error, json.JSONDecodeError):
        return "a number of too many digits"
    if not error.doc.strip():
        return "the file is empty"
    if f"\n{_CONFLICT}" in f"\n{error.doc}":
        return "a merge conflict that is not resolved"
    there = _first(_BEGINNINGS, error.doc.lstrip(), 0) or _first(_AT_A_PLACE, error.doc, error.pos)
    if there:
        return there
    if _is_behind_a_last_comma(error):
        return "a comma behind the last one"
    known = (said for words, said in _NO_JSON if error.msg.startswith(words))
    return next(known, "it breaks off here")


def _first(known: tuple[tuple[re.Pattern[str], str], ...], text: str, at: int) -> str:
    return next((said for pattern, said in known if pattern.match(text, at)), "")


def place(error: json.JSONDecodeError) -> str:
    """Say where a text is no JSON."""
    at = error.pos
    if _is_behind_a_last_comma(error):  # at the comma, as Python says from 3.13 on
        at = error.doc.rindex(",", 0, at)
    found = json.JSONDecodeError(error.msg, error.doc, at)
    return f"line {found.lineno}, column {found.colno}"


def _is_behind_a_last_comma(error: json.JSONDecodeError) -> bool:
    ends = error.doc[error.pos : error.pos + 1] in {"]", "}"}
    return ends and error.doc[: error.pos].rstrip().endswith(",")


def pointed(key: str) -> str:
    """Give a key as a JSON pointer has it, on one short line."""
    return shown(key.replace("~", "~0").replace("/", "~1"))[1:-1]


def why_not(word: str) -> str:
    """Say why a word is no package spec."""
    if len(word) > SPEC.longest:
        return f"{shown(word)}, {len(word):,} characters long"
    if word.endswith(".rpm") and "://" not in word:
        return f"{shown(word)}, a file name"
    reason = next((why for pattern, why in _REASONS if pattern.fullmatch(word)), "no package spec")
    return f"{shown(word)}, {reason}"


def instead_of(word: str) -> str:
    """Say what is accepted in the place of a word: what it may mean, as far as that is clear."""
    name = word.rpartition("/")[2].removesuffix(".rpm")
    if word.endswith(".rpm") and SPEC.fits(name) and name[0] != "@":
        return f"{name}, a package of the mirror's own upstream: nothing is fetched from elsewhere"
    return ACCEPTED


# --- other shapes -----------------------------------------------------------------------------

FIELDS = ("package_name", "installation_commands")
_MEANT = {
    **dict.fromkeys(("label", "name", "package", "pkg", "title"), "package_name"),
    **dict.fromkeys(
        ("cmd", "command", "commands", "install", "install_command", "install_commands",
         "installation", "packages", "rpm", "rpms", "spec", "specs"),
        "installation_commands",
    ),
}  # fmt: skip
_OF_A_SPEC = ("arch", "architecture", "epoch", "release", "ver", "version")


def meant_by(key: str) -> str:
    """Give the field of an entry that a key is meant for, or nothing."""
    folded = key.casefold().replace("-", "_").replace(" ", "_")
    near = get_close_matches(folded[:MAX_SHOWN], FIELDS, n=1)
    return _MEANT.get(folded) or (near[0] if near else "")


def extra_field(key: str) -> str:
    """Say what is expected in the place of a field that no entry has."""
    if key.casefold() in _OF_A_SPEC:
        return "package_name and installation_commands only, as in nmap-7.92.x86_64"
    meant = meant_by(key)
    return "package_name and installation_commands only" + (
        f"; did you mean {meant}?" if meant else ""
    )


def other_shape(data: Any) -> str:
    """Say what a file is that is neither an array nor an object with `packages`."""
    if not isinstance(data, dict):
        return shown(data)
    said = f"an object with {shown(sorted(data))}"
    if any(meant_by(key) == FIELDS[0] for key in data):
        return f"{said}: one entry, without the brackets of an array"
    near = (key for key in data if key != "packages" and key.casefold().rstrip("s") == "package")
    if found := next(near, ""):
        return f"{said}; {shown(found)} is not packages"
    return said


def shown(value: Any, most: int = MAX_SHOWN) -> str:
    """Give a JSON value on one line, cut."""
    text = json.dumps(value)
    return text if len(text) <= most else text[: most - 4] + "..." + text[-1]
