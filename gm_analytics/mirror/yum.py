"""yum and dnf: the commands they are given, as data. `printed` reads what they print.

One model for yum 3, dnf 4 and dnf 5: a command is a pure function's argv.
"""

from __future__ import annotations

from collections.abc import Iterable

from gm_analytics.mirror.addresses import LINK
from gm_analytics.mirror.survey import (
    UNREADABLE,
    Manager,
    Signatures,
    Target,
    Tools,
)
from gm_analytics.remote.commands import Argv, script
from gm_analytics.rpm.grammar import REPOSITORY_ID, optional
from gm_analytics.rpm.package import Row
from gm_analytics.rpm.streams import platform_of

POOL_ID = "gm-pool"
"""Id of what is live where yum is offered it as a repository."""
PREVIEW_ID = "gm-pool-preview"
"""Id of the pull request's own preview: its last push fetched most of what this one needs."""

_POOL_NAME = "packages of this mirror"
OUR_NAMES = (f"[{POOL_ID}]", f"[{PREVIEW_ID}]", f'"{_POOL_NAME}"')
"""How yum calls what is ours, within marks."""
_LINK = "packages "
SPECS = "specs.txt"
"""The list in staging that `listed` takes."""

# --- resolve, download, prove ----------------------------------------------------------------


def repo_file(base_url: str, name: str = POOL_ID, *, groups: bool = True) -> str:
    """Give a yum repository file that offers a directory as the pool.

    What is solved with upstream has no groups of the pool's: yum would take both definitions.
    """
    return (
        f"[{name}]\nname={_POOL_NAME}\nbaseurl={base_url}\n"
        "enabled=1\ngpgcheck=0\nrepo_gpgcheck=0\ncost=1\nmetadata_expire=1\n"
    ) + ("" if groups else "enablegroups=0\n")


def is_here(row: Row) -> bool:
    """Tell whether a package comes from the mirror's own pool."""
    return row.repository in {POOL_ID, PREVIEW_ID}


def prepare(target: Target, tools: Tools, update_id: str, number: int) -> Argv:
    """Make an update's staging directory; one that is there already is kept.

    The preview of the pull request `number` is offered too, if there is one. Where signatures
    are required, those of the pool are too, with upstream's keys: its packages came from there,
    maybe under another policy. Prints what `prepared` reads.
    """
    preview = f"{target.root}/previews/{number}"
    pool = repo_file(f"file://{target.root}/", groups=False)
    candidate = repo_file(f"file://{target.staging(update_id, 'candidate')}/")
    again = repo_file(f"file://{preview}/", PREVIEW_ID, groups=False)
    staging, keys = target.staging(update_id), "keys" if target.signatures == "required" else ""
    more = (preview, again, target.reposdir, keys, target.cache(tools.manager), target.root)
    # With the helper root may be who reads them.
    code = () if tools.elevation == "helper" else (str(UNREADABLE),)
    return script("mirror", "prepare", staging, pool, candidate, *more, *code)


def prepared(output: str) -> tuple[str, tuple[str, ...]]:
    """Read the output of `prepare`: the link to the packages, if there is one; `Target.local`.

    Raises:
        Malformed: a line is neither that nor the id of a repository.

    """
    first, _, rest = output.partition("\n")
    link = first.removeprefix(_LINK) if first.startswith(_LINK) else ""
    ids = rest if link else output
    return optional(LINK).check(link), tuple(map(REPOSITORY_ID.check, ids.splitlines()))


def download(
    target: Target, tools: Tools, update_id: str, specs: Iterable[str], *, some: bool = False
) -> Argv:
    """Solve all specs at once against an empty system and download what is not in the pool.

    What the pool has is not copied: without a directory of its own, yum leaves downloads in its
    cache, and takes what lies in a directory of this host from there. With `some`, specs that
    do not fit together with the others are left out.
    """
    if tools.elevation == "helper":
        return (*_helper(target), "download-some" if some else "download", update_id, *specs)
    base = (*_offering_the_pool(target, tools, update_id), "-y")
    into = _into(tools, target.staging(update_id, "rpms"))
    return (*base, *into, *_install(tools, specs, some=some))


def _into(tools: Tools, rpms: str) -> Argv:
    # The --downloadonly of yum 3 and dnf 5 leaves out the check of signatures; a test transaction
    # makes it.
    match tools.manager:
        case "dnf4":
            return ("--downloadonly",)
        case "dnf5":
            return ("--setopt=tsflags=test",)
        case "yum3":  # as nothing is installed, the disk need not hold it
            test = ("--setopt=tsflags=test", "--setopt=diskspacecheck=0")
            return (*test, f"--downloaddir={rpms}")


def resolve(
    target: Target, tools: Tools, update_id: str, specs: Iterable[str], *, some: bool = False
) -> Argv:
    """Solve all specs at once against an empty system, and stop there; `some` as in `download`."""
    if tools.elevation == "helper":
        return (*_helper(target), "resolve-some" if some else "resolve", update_id, *specs)
    base = _offering_the_pool(target, tools, update_id)
    return (*base, "--assumeno", *_install(tools, specs, some=some))


def taken(tools: Tools, specs: Iterable[str]) -> tuple[str, ...]:
    """Give specs as a package manager takes them: `@^environment` is yum 3's alone."""
    if tools.manager == "yum3":
        return tuple(specs)
    return tuple(f"@{spec[2:]}" if spec.startswith("@^") else spec for spec in specs)


def listed(target: Target, tools: Tools, update_id: str, argv: Argv) -> Argv:
    """Give a command that has no operands yet those of staging's `specs.txt`.

    One argument over SSH holds 128 KiB, and all text is one. The helper reads them itself.
    """
    file = target.staging(update_id, SPECS)
    if tools.elevation == "helper":
        return script("mirror", "with-input", file, *argv, "-")
    return script("mirror", "with-list", file, *argv)


def makecache(target: Target, tools: Tools, update_id: str) -> Argv:
    """Read the metadata of the upstream repositories."""
    if tools.elevation == "helper":
        return (*_helper(target), "makecache", update_id)
    return (*_yum(target, tools, update_id, target.reposdir), "makecache")


def names(target: Target, tools: Tools, update_id: str) -> Argv:
    """Print all that upstream has, by the metadata that were read last, excluded or not."""
    if tools.elevation == "helper":
        return (*_helper(target), "names", update_id)
    base = _yum(target, tools, update_id, target.reposdir)
    if tools.manager == "yum3":
        return (*base, "-C", "--disableexcludes=all", "--showduplicates", "list", "available")
    shown = "--disableexcludes=all" if tools.manager == "dnf4" else "--setopt=disable_excludes=*"
    # dnf 5 ends no line by itself.
    return (*base, "-C", shown, "repoquery", r"--queryformat=%{name}.%{arch} %{evr} %{repoid}\n")


PACKAGE, PROVIDES = ">", "="
"""How what `obsoleting` prints of a package begins: its name, and the first thing it provides."""


def obsoleting(target: Target, tools: Tools, update_id: str, names: Iterable[str]) -> Argv:
    """Print the packages that obsolete names, with all that they obsolete and provide.

    By the metadata that were read last. Neither yum 3 nor the helper can be asked.
    """
    base = _offering_the_pool(target, tools, update_id)
    form = rf"{PACKAGE}%{{name}}\n%{{obsoletes}}\n{PROVIDES}%{{provides}}\n"
    which = f"--whatobsoletes={','.join(names)}"
    return (*base, "-C", "repoquery", which, f"--queryformat={form}")


def prove(
    target: Target, tools: Tools, update_id: str, specs: Iterable[str], *, tested: bool = True
) -> Argv:
    """Install the specs into an empty system from the candidate alone, in a test transaction.

    rpm opens each package, and looks for what the solver does not: files that two of them have,
    damage, digests that are missing. Without `tested` they are only solved.
    """
    if tools.elevation == "helper":
        return (*_helper(target), "prove", update_id, *specs)
    repositories = target.staging(update_id, "candidate.d")
    base = _yum(target, tools, update_id, repositories)
    # As nothing is installed, the disk need not hold it.
    test = ("-y", "--setopt=tsflags=test", "--setopt=diskspacecheck=0")
    return (*base, *(test if tested else ("--assumeno",)), *_install(tools, specs))


def beside_packages(target: Target, update_id: str, argv: Argv) -> Argv:
    """Have the candidate's packages lie where its metadata say, for a command that proves it."""
    return script("mirror", "proof", target.root, target.staging(update_id), *argv)


def _helper(target: Target) -> Argv:
    return ("sudo", "-n", target.helper or "", target.root)


_GPGCHECK: dict[Signatures, Argv] = {
    "upstream": (),
    "required": ("--setopt=*.gpgcheck=1",),
    "off": ("--setopt=*.gpgcheck=0",),
}


def _offering_the_pool(target: Target, tools: Tools, update_id: str) -> Argv:
    repositories = f"{target.reposdir},{target.staging(update_id, 'pool.d')}"
    return (*_yum(target, tools, update_id, repositories), *_GPGCHECK[target.signatures])


def _yum(target: Target, tools: Tools, update_id: str, reposdir: str) -> Argv:
    elevated = ("unshare", "--map-root-user") if tools.elevation == "userns" else ()
    options = {
        "reposdir": reposdir,
        "cachedir": target.cache(tools.manager),
        "keepcache": "1",
        "metadata_expire": str(target.max_age),
    }
    if tools.manager != "dnf5":  # what is read of the output is what it is by default
        options |= {"color": "never", "debuglevel": "2", "errorlevel": "3"}
    if tools.manager == "yum3":
        # skip_if_unavailable is known to repositories alone; before EL 7.3 yum warns of the other.
        options |= {"*.skip_if_unavailable": "0", "skip_missing_names_on_install": "0"}
        options |= {"mdpolicy": "group:small"}  # with the advisories
    else:
        options |= {
            # Repository files have their own values, which count before those of all.
            "*.skip_if_unavailable": "0",
            "*.metadata_expire": str(target.max_age),
            "gm-*.metadata_expire": "1",
            "install_weak_deps": "1" if target.weak_dependencies else "0",
            "logdir": target.staging(update_id, "log"),
            "best": "1",
            # Of a file of chunks nobody but librepo can read what is in it.
            "zchunk": "0",
        }
        if target.filelists:  # dnf 5, and dnf 4 from 4.19 on, else look at them for paths alone
            more = "comps,updateinfo,filelists" if tools.manager == "dnf5" else "filelists"
            options["optional_metadata_types"] = more
        if platform := target.module_platform_id or platform_of(target.releasever):
            options["module_platform_id"] = platform
        if (
            reposdir.split(",", maxsplit=1)[0] == target.reposdir
        ):  # a mirror list makes dnf fetch what it would only read
            options |= {f"{name}.mirrorlist": "file:///dev/null" for name in target.local}
    return (
        *elevated,
        tools.manager_path,
        *(("--no-plugins", "--use-host-config") if tools.manager == "dnf5" else ("--noplugins",)),
        # Metadata of this very second are not older than an age of 0.
        *(("--refresh",) if target.max_age == 0 and tools.manager != "yum3" else ()),
        f"--installroot={target.staging(update_id, 'root')}",
        f"--releasever={target.releasever}",
        *((f"--forcearch={target.arch}",) if target.arch and tools.manager != "yum3" else ()),
        *(f"--setopt={key}={value}" for key, value in options.items()),
    )


_STRICT: dict[Manager, Argv] = {
    "yum3": ("--setopt=skip_broken=0",),
    "dnf4": ("--setopt=strict=1",),
    "dnf5": ("--setopt=skip_broken=0", "--setopt=skip_unavailable=0"),
}
"""All that is asked for, or nothing, whatever the host is set to."""


def _install(tools: Tools, specs: Iterable[str], *, some: bool = False) -> Argv:
    # yum 3 would take "--" for a package name, and dnf 5 refuses it as an unknown argument; the
    # grammar of specs lets none begin with "-".
    ended = ("--",) if tools.manager == "dnf4" else ()
    strict = ("--skip-broken",) if some else _STRICT[tools.manager]
    return (*strict, "install", *ended, *specs)


def aside(target: Target, tools: Tools) -> Argv:
    """Make a staging directory for who only looks, beside the root; print its path."""
    return script("mirror", "aside", target.cache(tools.manager))


def in_empty_root(target: Target, update_id: str, argv: Argv) -> Argv:
    """Run a yum command after emptying the install root it names."""
    return script("mirror", "empty-root", target.staging(update_id, "root"), *argv)
