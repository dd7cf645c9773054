"""A client that refreshes without pause, by dnf's own library: run by the system's Python.

    refresher.py DIRECTORY baseurl|mirrorlist ADDRESS KEY

As `dnf makecache --refresh` with `repo_gpgcheck=1`, again and again until the standard input ends,
without the half second in which dnf starts. Prints a JSON object: `looks`, `packages` (the names
that it saw), `errors`.
"""

from __future__ import annotations

import json
import select
import sys
from pathlib import Path

import dnf  # type: ignore[import-not-found]  # of the system's Python


class _Yes:
    """Takes the key, as `--assumeyes` does."""

    @staticmethod
    def _confirm(*_: object) -> bool:
        return True


def refresh(directory: Path, option: str, address: str, key: str) -> set[str]:
    """Refresh, and give the names of packages."""
    base = dnf.Base()
    base.conf.installroot = str(directory / "root")
    base.conf.cachedir = str(directory / "cache")
    base.conf.persistdir = str(directory / "persist")
    base.conf.logdir = str(directory)
    base.conf.substitutions["releasever"] = "9"
    base.conf.module_platform_id = "platform:el9"
    base.conf.retries, base.conf.timeout = 1, 10
    options = {option: address if option == "mirrorlist" else [address]}
    repo = base.repos.add_new_repo("mirror", base.conf, **options)
    repo.repo_gpgcheck, repo.gpgkey, repo.skip_if_unavailable = True, [key], False
    repo._set_key_import(_Yes())
    repo._repo.expire()
    base.fill_sack(load_system_repo=False)
    names = {package.name for package in base.sack.query()}
    base.close()
    return names


def main() -> None:
    """Refresh until nobody listens."""
    directory, option, address, key = sys.argv[1:]
    looks, names, errors = 0, set(), []
    while not select.select([sys.stdin], [], [], 0)[0]:
        looks += 1
        try:
            names |= refresh(Path(directory), option, address, key)
        except dnf.exceptions.Error as error:
            errors.append(str(error))
    json.dump({"looks": looks, "packages": sorted(names), "errors": errors}, sys.stdout)


if __name__ == "__main__":
    main()
