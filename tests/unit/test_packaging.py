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


def test_each_file_that_is_no_module_is_installed() -> None:
    """The scripts that are sent to mirrors, above all. What a wheel has, `test_wheel` looks at."""
    packages = {name: TOP.joinpath(*name.split(".")) for name in SETUPTOOLS["packages"]}
    packages |= {name: TOP / folder for name, folder in SETUPTOOLS["package-dir"].items()}
    installed = {
        file
        for name, patterns in SETUPTOOLS["package-data"].items()
        for pattern in patterns
        for file in packages[name].glob(pattern)
    }
    there = {
        path
        for path in (TOP / "gm_analytics").rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }
    assert there <= installed
    assert {path.parent.parent.name for path in there if path.suffix == ".sh"} == {
        "mirror",
        "remote",
        "setup",
    }
