"""The HTTP contract: `swagger/` of the checkout, which is inside the package once installed."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import yaml

from gm_analytics.errors import ConfigError

HOME = "gm_analytics.swagger"
DOOR = "indexer.yaml"
"""What the Internet may ask for."""
OPERATOR = "operator.yaml"
"""What operators may, on a listener of their own."""


def specification(name: str = DOOR) -> Path:
    """Give the file of a specification.

    Raises:
        ConfigError: this package was not installed, or not as a whole.

    """
    try:
        found = Path(str(files(HOME) / name))
    except ModuleNotFoundError as error:
        raise ConfigError(HOME, [f"{error}; install gm_analytics with pip"]) from error
    if not found.is_file():
        raise ConfigError(str(found), ["there is no such file; install gm_analytics again"])
    return found


def summary() -> str:
    """Read the specifications as the web does, and say what they are.

    Raises:
        ConfigError: one is not there, or it is not a valid specification.

    """
    # Not above: a second of imports that only this needs.
    from connexion.exceptions import InvalidSpecification  # noqa: PLC0415
    from connexion.spec import Specification  # noqa: PLC0415

    said = []
    for name in (OPERATOR, DOOR):
        place = specification(name)
        try:
            read = Specification.load(place)
        except (InvalidSpecification, OSError, ValueError, yaml.YAMLError) as error:
            raise ConfigError(str(place), [str(error).partition("\n\n")[0]]) from error
        info = read["info"]
        said.append(f"{info['title']} {info['version']}, {len(read['paths'])} paths")
    operators, door = said
    return f"{door}; {operators}; {place}"
