"""What is wrong with a file that a person wrote, in the service's own words. No I/O.

YAML's and pydantic's words are for programmers. Each of their findings becomes one line here: the
path of the key, what was found there, and what was expected. What may be a secret is not repeated.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from gm_analytics.errors import ConfigError
from gm_analytics.rpm import grammar

SECRETS = ("secret", "token", "private_key", "database_url", "password")
"""Keys whose value is not repeated; each may be `<key>_file` instead."""
MAX_SHOWN = 120
"""Characters of a value that are repeated."""
Key = tuple[int | str, ...]

# --- values ---------------------------------------------------------------------------------

_WHOLE = {
    "model_type", "dict_type", "list_type", "model_attributes_type", "dataclass_type",
    "tuple_type", "json_invalid",
}  # fmt: skip
"""Findings about a value that is not looked into: it may be a secret in the wrong place."""
_ADDRESS = "an address that begins with http:// or https://"
_EXPECTED = {
    "json_invalid": "JSON",
    "model_type": "keys with values",
    "dataclass_type": "keys with values",
    "dict_type": "keys with values",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_type": "text: write it in quotes",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "path_type": "a path",
    "url_type": _ADDRESS,
    "url_parsing": _ADDRESS,
    "url_scheme": _ADDRESS,
    "url_syntax_violation": _ADDRESS,
    "url_too_long": "a shorter address",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} in it",
    "too_long": "at most {max_length} in it",
}
_FORMS = {
    f"^(?:{form.ere})$": form.what
    for form in vars(grammar).values()
    if isinstance(form, grammar.Grammar)
} | {
    f"^(?:{grammar.WORD.ere})$": "a word of letters, digits and . _ : + -",
    f"^(?:{grammar.ABSOLUTE_PATH.ere})$": "an absolute path without blanks and shell characters",
}
_FORMS_OF = {
    "database_url": "sqlite:////ABSOLUTE/PATH or postgresql://USER@HOST/DATABASE",
    "token": "printable characters without blanks",
    "manifest": "a path in the repository, such as packages.json",
    "app_id": "the App's number or its client's id",
    "trusted_authors": "a GitHub login",
}
"""Where the pattern is a key's own."""
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"), (int, "a number"), (float, "a number"), (str, "text"),
    (bytes, "text"), (list, "a list"), (dict, "keys with values"), (date, "a date"),
)  # fmt: skip


def problems(error: ValidationError, top: type[BaseModel] | None = None) -> list[str]:
    """Give a line for each thing that is wrong; `top` is whose keys are suggested."""
    return [_problem(detail, top) for detail in error.errors()]


def _problem(detail: Any, top: type[BaseModel] | None) -> str:
    key, kind = detail["loc"], detail["type"]
    if kind == "value_error":
        return _own(key, detail["msg"].removeprefix("Value error, "))
    if kind == "missing":
        return f"{path(key)}: missing"
    if kind in {"extra_forbidden", "invalid_key"}:
        return f"{path(key)}: unknown key{_meant(key, top) if top else ''}"
    found = _found(key, detail)
    expected = f"expected {_expected(key, detail)}"
    return f"{path(key)}: found {found}; {expected}" if found else f"{path(key)}: {expected}"


def _own(key: Key, said: str) -> str:
    """Join the place of a check to what the check itself says, which may go on with a key."""
    if not key:
        return said
    return f"{path(key)}{'.' if re.match(r'[a-z_]+: ', said) else ': '}{said}"


def path(key: Key) -> str:
    """Give the path of a key, escaped where a person could not read it."""
    return ".".join(map(_part, key)) or "file"


def _part(part: object) -> str:
    text = str(part)
    plain = text.isascii() and text.isprintable() and len(text) <= grammar.MAX_SHOWN
    return text if plain else grammar.shown(text)


def _found(key: Key, detail: Any) -> str:
    """Say what is there; of a secret only if it is no text, and then of which kind."""
    value = detail["input"]
    if _last(key).endswith(SECRETS):
        return "" if isinstance(value, str) else kind_of(value)
    return kind_of(value) if detail["type"] in _WHOLE else shown(value)


def _last(key: Key) -> str:
    return next((part for part in reversed(key) if isinstance(part, str)), "")


def kind_of(value: object) -> str:
    """Say what kind of value it is, without it."""
    if value is None:
        return "nothing"
    if value == []:
        return "an empty list"
    return next(
        (said for kind, said in _KINDS if isinstance(value, kind)), "another kind of value"
    )


def shown(value: object) -> str:
    """Give a value as it would be written, cut."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        return kind_of(value)
    text = repr(value)
    return text if len(text) <= MAX_SHOWN + 2 else f"{text[:MAX_SHOWN]}…"


def _expected(key: Key, detail: Any) -> str:
    kind, more = detail["type"], detail.get("ctx", {})
    if kind == "literal_error":
        words = more["expected"].replace("'", "")
        return f"{words}{did_you_mean(detail['input'], re.split(', | or ', words))}"
    if kind == "string_pattern_mismatch":
        form = _FORMS.get(more["pattern"]) or _FORMS_OF.get(_last(key))
        return form or "another form"
    return _EXPECTED.get(kind, "another value").format(**more)


# --- keys -----------------------------------------------------------------------------------


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """Ask whether one of those was meant that look like what was given; empty if none does."""
    near = get_close_matches(str(given)[:MAX_SHOWN].lower(), list(known), n=2)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _meant(key: Key, top: type[BaseModel]) -> str:
    """Say which key was meant: one that looks like it here, or the same in another section."""
    *above, last = key
    here = "".join("[]" if isinstance(part, int) else f".{part}" for part in above).lstrip(".")
    sections = dict(_sections(top))
    known = list(_keys(sections[here])) if here in sections else []
    near = get_close_matches(str(last)[:MAX_SHOWN].lower(), known, n=1)
    near += [
        f"{at}.{last}".lstrip(".")
        for at, section in sections.items()
        if at != here and last in set(_keys(section))
    ]
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; expected {', '.join(sorted(known))}" if known else ""


def _keys(section: type[BaseModel]) -> Iterator[str]:
    for name, field in section.model_fields.items():
        key = field.alias or name
        yield key
        if key in SECRETS:
            yield f"{key}_file"


def _sections(top: type[BaseModel], at: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Give each section with its path, `[]` for the place in a list."""
    yield at, top
    for name, field in top.model_fields.items():
        inside = next(_models(field.annotation), None)
        many = "[]" if get_origin(field.annotation) is list else ""
        if inside:
            yield from _sections(inside, f"{at}.{name}{many}".lstrip("."))


def _models(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for part in get_args(kind):
        yield from _models(part)


# --- YAML -----------------------------------------------------------------------------------

_TWICE = "key twice"
_SAID = (
    (r"found character '\\t'", "a tab; indent with blanks"),
    ("mapping values are not allowed", "a second `:`; put a text that holds one in quotes"),
    ("expected <block end>", "another indentation than above"),
    ("could not find expected ':'", "a key without its `:`"),
    ("unexpected end of stream", "a quote that is not closed"),
    (r"expected ',' or", "a bracket that is not closed, or a comma is missing"),
    ("expected the node content", "a value that does not end"),
    ("undefined alias", "an alias of nothing"),
    ("could not determine a constructor", "a tag; only plain values are read"),
    (_TWICE, "a key that was there before"),
)


class Loader(yaml.SafeLoader):
    """Reads plain values, and refuses a key that is there twice: the first one would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Read keys with their values."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, _TWICE, key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)


def not_yaml(error: Exception) -> str:
    """Say what is wrong and where, without the text itself, which may hold a secret."""
    if isinstance(error, RecursionError):
        return "nested too deep"
    if not isinstance(error, yaml.YAMLError):
        return "a date that no calendar has, or a number of too many digits"
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or "")
    known = (said for words, said in _SAID if re.search(words, problem))
    said = next(known, "a character that YAML does not allow here")
    return f"line {mark.line + 1}, column {mark.column + 1}: {said}" if mark else said


def text_of(path: Path) -> str:
    """Read a configuration file: an ordinary one, since a pipe or a device may have no end.

    Raises:
        ConfigError: it cannot be read.

    """
    try:
        if path.exists() and not path.is_file():
            kind = "a directory" if path.is_dir() else "no ordinary file"
            raise ConfigError(str(path), [f"reading it: {kind}"])
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(str(path), [f"reading it: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), ["not YAML: no UTF-8"]) from error
