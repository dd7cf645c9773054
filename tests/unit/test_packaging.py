"""What pyproject.toml says by hand is what is there."""

from __future__ import annotations

import tomllib
from pathlib import Path

TOP = Path(__file__).parents[2]
SETUPTOOLS = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]


def test_each_folder_of_the_package_is_installed() -> None:
    folders = {path.parent for path in (TOP / "gm_analytics").rglob("__init__.py")}
    names = {".".join(folder.relative_to(TOP).parts) for folder in folders}
    assert set(SETUPTOOLS["packages"]) == names | set(SETUPTOOLS["package-dir"])


def test_a_package_that_lies_elsewhere_is_one() -> None:
    assert all(
        (TOP / folder / "__init__.py").is_file() for folder in SETUPTOOLS["package-dir"].values()
    )
