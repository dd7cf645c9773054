"""Which files a client sees that reads no filelists: primary.xml has some paths alone. No I/O.

dnf 5, and dnf 4 from 4.19 on, read filelists only if somebody asks for a path; what packages need
they look for in primary.xml.
"""

from __future__ import annotations

from collections.abc import Mapping

from gm_analytics.rpm.provenance import Relations


def is_in_primary(path: str) -> bool:
    """Tell whether primary.xml lists a file of a package: createrepo's rule.

    Source: cr_is_primary in https://github.com/rpm-software-management/createrepo_c
    """
    return path.startswith("/etc/") or path == "/usr/lib/sendmail" or "bin/" in path


def hidden(relations: Mapping[str, Relations]) -> tuple[str, ...]:
    """Name the paths that packages need and such a client does not find, each with who has it.

    Of a rich dependency only another package can tell what is needed: it is left to the solver.
    """
    offered = {one.name for relation in relations.values() for one in relation.provides}
    found = {
        (need.name, file)
        for file, relation in relations.items()
        for need in relation.requires
        if need.name.startswith("/") and need.name not in offered and not is_in_primary(need.name)
    }
    return tuple(
        f"{_nevra(file)} requires {path}, a file of {_owners(relations, path)}"
        for path, file in sorted(found)
    )


def _owners(relations: Mapping[str, Relations], path: str) -> str:
    owners = sorted(_nevra(file) for file, one in relations.items() if path in one.files)
    return " and ".join(owners) or "no package of this closure"


def _nevra(file: str) -> str:
    return file.removesuffix(".rpm")
