r"""What was downloaded: looked at, compared with the pool, and added to it. Commands as data.

Upstream chose the names of the files and all that their headers say; no signature covers the
names. So a script looks at every name with `find` and `grep` before it gives one to a program,
every operand begins with `./`, and what rpm prints of a header is taken only if it has as many
lines as there are files, each of them behind a word that the header's author could not know.
"""

from __future__ import annotations

from collections.abc import Iterable

from gm_analytics.mirror.survey import BYTES_DIFFER, REFUSED, UNKNOWN, Target, Tools
from gm_analytics.remote.commands import Argv, script
from gm_analytics.rpm.grammar import ARCH, EPOCH, FILE, NAME, RELEASE, VERSION

_HEADER = r"%{NAME}\t%|EPOCH?{%{EPOCH}}:{0}|\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n"
_FACTS = "\t".join(f"({one.ere})" for one in (NAME, EPOCH, VERSION, RELEASE, ARCH))


def guarded(name: str, *arguments: str, types: str = "f") -> Argv:
    """Give a script that has `only_rpms`, and maybe `facts_of`.

    `types` are the types, as find knows them, of which RPM files may be.
    """
    environment = {
        "FILE": FILE.ere,
        "HEADER": _HEADER,
        "FACTS": _FACTS,
        "TYPES": types,
        "REFUSED": str(REFUSED),
    }
    words = tuple(f"{key}={value}" for key, value in environment.items())
    return ("env", *words, *script("mirror", name, *arguments))


# --- withdrawn -----------------------------------------------------------------------------


def withdrawn(target: Target, tools: Tools, directories: Iterable[str]) -> Argv:
    """Print which packages of publications and previews upstream does not have, and why."""
    place = (target.root, target.reposdir, target.cache(tools.manager), str(UNKNOWN))
    return script("mirror", "withdrawn", *place, *directories)


def withhold(target: Target, update_id: str, repositories: Iterable[str]) -> Argv:
    """Have yum take what staging's `except.txt` lists from elsewhere than from the pool."""
    return script("mirror", "withhold", target.staging(update_id), *repositories)


# --- inspect -------------------------------------------------------------------------------


def inspect(target: Target, tools: Tools, update_id: str, live: str) -> Argv:
    """Check every file that was downloaded; print its state and its line of packages.txt.

    Names of the pool's files may follow, which are described too.

    The state is `new`, `pool` (there, with the same bytes), `live` (and clients see it) or
    `differs` (there, with other bytes).
    """
    place = (target.staging(update_id), target.root, live, target.cache(tools.manager))
    return guarded("inspect", *place, target.reposdir, *target.caches)


# --- relations -----------------------------------------------------------------------------

# WORD stands for the secret word.
_RELATION = r"[WORD\t{0}\t%{{{1}NAME}}\t%{{{1}FLAGS:depflags}}\t%{{{1}VERSION}}\n]"
_RELATIONS_FORM = (
    r"WORD\tpackage\t%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm\n"
    + _RELATION.format("require", "REQUIRE")
    + _RELATION.format("provide", "PROVIDE")
    + r"[WORD\tfile\t%{FILENAMES}\n]"
)


def relations(target: Target, update_id: str) -> Argv:
    """Print what each file of the closure requires, recommends and provides; if it is signed.

    The closure's files follow, and paths: of the files that a package has, only those are told,
    and what another package requires.
    """
    weak = _RELATION.format("recommend", "RECOMMEND")
    arguments = (target.staging(update_id), target.root, _RELATIONS_FORM, weak)
    return guarded("relations", *arguments)


# --- add -----------------------------------------------------------------------------------


def add(target: Target, update_id: str) -> Argv:
    """Link the files that staging's `new.txt` lists into the pool; their names in staging go.

    One that is there with other bytes is an error. (A list, since a command has a largest size.)
    """
    staging = target.staging(update_id)
    return script("mirror", "add", target.root, staging, str(BYTES_DIFFER))
