"""What is wrong with a manifest, in words for who wrote it. No I/O."""

from __future__ import annotations

import json
import re
from typing import Any

from gm_analytics.rpm.grammar import SPEC

MAX_SHOWN = 60
"""Characters of the author's own text that are repeated: it fits a line."""
_REASONS = (
    (re.compile(r"-.*", re.DOTALL), "an option"),
    (re.compile(r"[a-z][a-z0-9+.-]*://.*", re.DOTALL | re.IGNORECASE), "a URL"),
    (re.compile(r".*[^\x20-\x7e].*", re.DOTALL), "a character that is not printable ASCII"),
    (re.compile(r".*[*?\[\]].*"), "a glob"),
    (re.compile(r"[/.].*"), "a path outside /usr and /etc"),
    (re.compile(r"@[^:]+:.*"), "a module stream (modules cannot be mirrored package by package)"),
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
    if _is_behind_a_last_comma(error):
        return "a comma behind the last one"
    known = (said for words, said in _NO_JSON if error.msg.startswith(words))
    return next(known, "it breaks off here")


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
    if word.endswith(".rpm"):
        return f"{shown(word)}, a file name"
    reason = next((why for pattern, why in _REASONS if pattern.fullmatch(word)), "no package spec")
    return f"{shown(word)}, {reason}"


def shown(value: Any, most: int = MAX_SHOWN) -> str:
    """Give a JSON value on one line, cut."""
    text = json.dumps(value)
    return text if len(text) <= most else text[: most - 4] + "..." + text[-1]
