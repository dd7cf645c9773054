"""RPM packages as data, and the few rpmbuild runs that make them.

`CATALOG` is the lab's upstream distribution; `synthetic(n)` is a big one of empty packages.
"""

from __future__ import annotations

import platform
import random
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from lab.processes import LabError, run

ARCH = platform.machine()
"""The architecture of the lab's arch packages: this machine's."""
NOARCH = "noarch"
RELEASE = "1.el9"
BIG_SIZE = 3_000_000
"""Bytes of incompressible data in `firmware-blob`."""
LEAVES = 60


@dataclass(frozen=True)
class Package:
    """One binary RPM: RPM's own tags, and what it installs.

    `programs` are paths of executable scripts that print the package's name and version;
    `size` is the bytes of one more file of incompressible data; `build` changes the content of
    the package and nothing else, so two values of it give one NEVRA with different bytes.
    """

    name: str
    version: str = "1.0"
    release: str = RELEASE
    epoch: int = 0
    arch: str = ARCH
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    recommends: tuple[str, ...] = ()
    obsoletes: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    size: int = 0
    build: str = ""
    module: str = ""
    """The label of the module stream that it is of: name:stream:version:context."""

    @property
    def nvra(self) -> str:
        """name-version-release.arch, as in the file name."""
        return f"{self.name}-{self.version}-{self.release}.{self.arch}"

    @property
    def nevra(self) -> str:
        """name-epoch:version-release.arch, without an epoch of 0, as dnf prints it."""
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{self.name}-{epoch}{self.version}-{self.release}.{self.arch}"

    @property
    def filename(self) -> str:
        """The name of the RPM file."""
        return f"{self.nvra}.rpm"

    def rebuilt(self, build: str = "again") -> Self:
        """Give the same NEVRA with other bytes."""
        return replace(self, build=build)


@dataclass(frozen=True)
class Group:
    """A package group of comps.xml, so that `@id` can be installed."""

    id: str
    name: str
    mandatory: tuple[str, ...] = ()
    default: tuple[str, ...] = ()

    def xml(self) -> str:
        """Give the group's element of comps.xml."""
        kinds = [("mandatory", self.mandatory), ("default", self.default)]
        requests = "".join(
            f'<packagereq type="{kind}">{name}</packagereq>'
            for kind, names in kinds
            for name in names
        )
        return (
            f"<group><id>{self.id}</id><name>{self.name}</name><description/>"
            "<default>false</default><uservisible>true</uservisible>"
            f"<packagelist>{requests}</packagelist></group>"
        )


@dataclass(frozen=True)
class Environment:
    """Groups of comps.xml that are installed together, by their ids."""

    id: str
    name: str
    groups: tuple[str, ...]
    options: tuple[str, ...] = ()

    def xml(self) -> str:
        """Give the environment's element of comps.xml."""
        lists = [("grouplist", self.groups), ("optionlist", self.options)]
        ids = "".join(
            f"<{name}>{''.join(f'<groupid>{one}</groupid>' for one in known)}</{name}>"
            for name, known in lists
        )
        return (
            f"<environment><id>{self.id}</id><name>{self.name}</name><description/>"
            f"<display_order>1</display_order>{ids}</environment>"
        )


@dataclass(frozen=True)
class Advisory:
    """An advisory of updateinfo.xml, in the shape of EL's."""

    id: str
    packages: tuple[Package, ...]
    """What it lists, in the versions that fix it."""
    kind: str = "security"
    severity: str = ""
    cves: tuple[str, ...] = ()

    def xml(self) -> str:
        """Give the element of updateinfo.xml."""
        listed = "".join(
            f'<package name="{p.name}" version="{p.version}" release="{p.release}" '
            f'epoch="{p.epoch}" arch="{p.arch}" src="{p.name}-{p.version}-{p.release}.src.rpm">'
            f"<filename>{p.filename}</filename></package>"
            for p in self.packages
        )
        references = "".join(
            f'<reference href="https://cve.example/{cve}" id="{cve}" title="{cve}" type="cve"/>'
            for cve in self.cves
        )
        severity = f"<severity>{self.severity}</severity>" if self.severity else ""
        return (
            f'<update from="secure@lab.example" status="final" type="{self.kind}" version="2.0">'
            f"<id>{self.id}</id><title>{self.id} of the lab</title>"
            '<issued date="2026-11-02 10:00:00"/><updated date="2026-11-02 10:00:00"/>'
            f"<rights>Copyright the lab</rights>{severity}<summary>What {self.id} fixes &amp; why"
            "</summary><description>A description\nof some lines.</description>"
            f'<references>{references}</references><pkglist><collection short="EL-9">'
            f"<name>EL 9</name>{listed}</collection></pkglist></update>"
        )


GROUPS: tuple[Group | Environment, ...] = (
    Group(
        "development",
        "Development Tools",
        mandatory=("gcc", "make", "binutils"),
        default=("git-core", "autoconf"),
    ),
)

_SYSTEM = (
    # A chain with a loop in it (glibc and glibc-common), as distributions have.
    Package("setup", "2.13.7", arch=NOARCH),
    Package("filesystem", "3.16", requires=("setup",)),
    Package("basesystem", "11", arch=NOARCH, requires=("filesystem", "setup")),
    Package("tzdata", "2024a", arch=NOARCH),
    Package("glibc-common", "2.34", requires=("glibc = 2.34-1.el9", "tzdata")),
    Package(
        "glibc",
        "2.34",
        requires=("glibc-common = 2.34-1.el9", "basesystem"),
        provides=("libc.so.6()(64bit)",),
    ),
    Package("bash", "5.1.8", requires=("libc.so.6()(64bit)",), programs=("/usr/bin/bash",)),
    Package("ca-certificates", "2024.2", arch=NOARCH, requires=("bash",)),
    Package("zlib", "1.2.11", requires=("glibc",), provides=("libz.so.1()(64bit)",)),
    Package(
        "openssl-libs",
        "3.0.7",
        epoch=1,
        requires=("libz.so.1()(64bit)", "ca-certificates >= 2008"),
        provides=("libssl.so.3()(64bit)", "libcrypto.so.3()(64bit)"),
    ),
    Package("pcre", "8.44", requires=("glibc",), provides=("libpcre.so.1()(64bit)",)),
    Package("lua-libs", "5.4.4", requires=("glibc",)),
    Package("ncurses-libs", "6.2", requires=("glibc",)),
    Package("readline", "8.1", requires=("ncurses-libs",)),
    Package("sqlite-libs", "3.34.1", requires=("zlib", "readline")),
    Package("expat", "2.5.0", requires=("glibc",)),
    Package("libcurl", "7.76.1", requires=("libssl.so.3()(64bit)", "libssh2")),
    Package("curl", "7.76.1", requires=("libcurl >= 7.76",), programs=("/usr/bin/curl",)),
)


def _nmap(version: str) -> tuple[Package, ...]:
    ncat = Package(
        "nmap-ncat",
        version,
        epoch=3,
        requires=("libpcap >= 14:1.9", "libssl.so.3()(64bit)"),
        programs=("/usr/bin/ncat",),
    )
    return ncat, Package(
        "nmap",
        version,
        epoch=3,
        requires=(
            f"nmap-ncat = 3:{version}-{RELEASE}",
            "libssh2.so.1()(64bit)",
            "libpcre.so.1()(64bit)",
            "lua-libs",
        ),
        programs=("/usr/bin/nmap",),
    )


_NETWORK = (
    Package("tree", "1.8.0", requires=("libc.so.6()(64bit)",), programs=("/usr/bin/tree",)),
    Package("libpcap", "1.10.0", epoch=14, requires=("glibc",)),
    Package(
        "libssh2",
        "1.11.0",
        requires=("libcrypto.so.3()(64bit)", "libz.so.1()(64bit)"),
        provides=("libssh2.so.1()(64bit)",),
    ),
    *_nmap("7.92"),
    *_nmap("7.94"),
)

_DEVELOPMENT = (
    Package("binutils", "2.35.2", requires=("glibc",), programs=("/usr/bin/ld",)),
    Package("cpp", "11.4.1", requires=("glibc",), programs=("/usr/bin/cpp",)),
    Package("gcc", "11.4.1", requires=("cpp = 11.4.1", "binutils"), programs=("/usr/bin/gcc",)),
    Package("make", "4.3", epoch=1, requires=("glibc",), programs=("/usr/bin/make",)),
    Package("perl", "5.32.1", epoch=4, requires=("glibc",), programs=("/usr/bin/perl",)),
    Package("m4", "1.4.19", requires=("glibc",), programs=("/usr/bin/m4",)),
    # A dependency on a file that another package has.
    Package("autoconf", "2.69", arch=NOARCH, requires=("/usr/bin/perl", "m4 >= 1.4.14")),
    Package("git-core", "2.43.0", requires=("curl", "expat"), programs=("/usr/bin/git",)),
)

_SPECIAL = (
    # A virtual provide of two packages.
    Package("httpd", "2.4.57", requires=("glibc",), provides=("webserver",)),
    Package("nginx", "1.20.1", epoch=1, requires=("pcre",), provides=("webserver",)),
    Package("webapp", "1.0", arch=NOARCH, requires=("webserver",)),
    # Rich dependencies: `a if b`, and `a or b` of which only one side exists.
    Package("langpack-es", "1.0", arch=NOARCH),
    Package("desktop", "1.0", arch=NOARCH),
    Package(
        "editor",
        "3.1",
        arch=NOARCH,
        requires=("(langpack-es if desktop)", "(sqlite-libs or mariadb-libs)"),
    ),
    # Two packages that cannot be installed together.
    Package("postfix", "3.5.9", epoch=2, conflicts=("sendmail",), provides=("mta",)),
    Package("sendmail", "8.16.1", conflicts=("postfix",), provides=("mta",)),
    # A weak dependency.
    Package("vim-enhanced", "8.2", epoch=2, recommends=("vim-spell",)),
    Package("vim-spell", "8.2", epoch=2, arch=NOARCH),
    # A dependency that nothing provides.
    Package("broken", "1.0", requires=("libmissing.so.9()(64bit)",)),
    Package("firmware-blob", "20240101", arch=NOARCH, size=BIG_SIZE),
)

LEAF_NAMES = tuple(f"leaf{number:02d}" for number in range(LEAVES))
"""Packages that need nothing and that nothing needs."""
_LEAVES = tuple(Package(name, arch=NOARCH) for name in LEAF_NAMES)

CATALOG = (*_SYSTEM, *_NETWORK, *_DEVELOPMENT, *_SPECIAL, *_LEAVES)


def synthetic(count: int, prefix: str = "synth") -> tuple[Package, ...]:
    """Give `count` independent noarch packages without files, quick to build."""
    width = len(str(max(count - 1, 0)))
    return tuple(Package(f"{prefix}{n:0{width}d}", arch=NOARCH) for n in range(count))


def build(packages: Iterable[Package], dest: Path) -> tuple[Path, ...]:
    """Make the RPM files with rpmbuild in `dest`, replacing those of the same name.

    One run makes all packages of different names. The user's own rpm configuration is not read.

    Raises:
        CommandError: rpmbuild refused a package, with its words.

    """
    wanted = tuple(packages)
    dest.mkdir(parents=True, exist_ok=True)
    for batch in _batches(wanted):
        with tempfile.TemporaryDirectory(prefix="rpmbuild-") as directory:
            _rpmbuild(batch, Path(directory))
            _collect(batch, Path(directory) / "RPMS", dest)
    return tuple(dest / package.filename for package in wanted)


def _batches(packages: Sequence[Package]) -> Iterator[tuple[Package, ...]]:
    """Split packages so that each batch has a name once and one architecture beside noarch.

    And one label of a module: rpm 4.20 gives it to all packages of a build.
    """
    rest = list(packages)
    while rest:
        batch: dict[str, Package] = {}
        label = rest[0].module
        arch = _target(package for package in rest if package.module == label)
        for package in rest:
            if package.arch in {NOARCH, arch} and package.module == label:
                batch.setdefault(package.name, package)
        yield tuple(batch.values())
        chosen = {id(package) for package in batch.values()}
        rest = [package for package in rest if id(package) not in chosen]


def _target(packages: Iterable[Package]) -> str:
    """Give the architecture to build for."""
    return next((package.arch for package in packages if package.arch != NOARCH), ARCH)


def _collect(batch: Sequence[Package], built: Path, dest: Path) -> None:
    for package in batch:
        made = built / package.filename
        if not made.exists():
            raise LabError(f"building {package.nvra}: rpmbuild made no such file")
        # Not written in place: an older file of this name may have other links.
        fresh = dest / f".{package.filename}"
        fresh.write_bytes(made.read_bytes())
        fresh.chmod(0o644)
        fresh.replace(dest / package.filename)


def _rpmbuild(batch: Sequence[Package], top: Path) -> None:
    sources = top / "SOURCES"
    sources.mkdir()
    for package in batch:
        _write_sources(package, sources)
    spec = top / "lab.spec"
    spec.write_text(_spec(batch), encoding="utf-8")
    macros = {
        "_topdir": str(top),
        "_tmppath": str(top),
        "_dbpath": str(top / "rpmdb"),
        # Expanded twice, so that the tags are filled in for each package.
        "_rpmfilename": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
        "_binary_payload": "w1.gzdio",
        "_build_id_links": "none",
        "debug_package": "%{nil}",
        "__os_install_post": "%{nil}",
        "__brp_mangle_shebangs": "%{nil}",
        "source_date_epoch_from_changelog": "0",
    }
    defines = [word for item in macros.items() for word in ("--define", " ".join(item))]
    argv = ["rpmbuild", "-bb", "--quiet", "--target", _target(batch), *defines, str(spec)]
    run(argv, env=_environment(top), timeout=600)


def _environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def _write_sources(package: Package, sources: Path) -> None:
    for path in package.programs:
        script = f'#!/bin/sh\necho "{package.name} {package.version}"\n# {package.build}\n'
        (sources / f"{package.name}:{Path(path).name}").write_text(script, encoding="utf-8")
    if package.size:
        content = random.Random(package.nvra + package.build).randbytes(package.size)  # noqa: S311 - bytes that do not compress, no secret
        (sources / f"{package.name}:blob").write_bytes(content)


def _spec(batch: Sequence[Package]) -> str:
    head = (
        "Name: lab-upstream\nVersion: 1\nRelease: 1\nSummary: Packages of the lab\n"
        "License: MIT\nAutoReqProv: no\n\n%description\nNever built itself.\n\n"
    )
    install = "".join(_install_lines(package) for package in batch)
    return head + "".join(map(_subpackage, batch)) + "%install\n" + install


def _subpackage(package: Package) -> str:
    tags = [
        f"Summary: {package.name} of the lab {package.build}".rstrip(),
        f"Version: {package.version}",
        f"Release: {package.release}",
        *([f"Epoch: {package.epoch}"] if package.epoch else []),
        *([f"ModularityLabel: {package.module}"] if package.module else []),
        *(["BuildArch: noarch"] if package.arch == NOARCH else []),
        "AutoReqProv: no",
        *(f"Requires: {item}" for item in package.requires),
        *(f"Provides: {item}" for item in package.provides),
        *(f"Conflicts: {item}" for item in package.conflicts),
        *(f"Recommends: {item}" for item in package.recommends),
        *(f"Obsoletes: {item}" for item in package.obsoletes),
    ]
    files = [f"%attr(0755,root,root) {path}" for path in package.programs]
    if package.size:
        files.append(f"%attr(0644,root,root) {_blob(package)}")
    return "\n".join(
        [
            f"%package -n {package.name}",
            *tags,
            f"%description -n {package.name}",
            f"A package of the lab. {package.build}",
            f"%files -n {package.name}",
            *files,
            "\n",
        ]
    )


def _blob(package: Package) -> str:
    return f"/usr/share/{package.name}/blob"


def _install_lines(package: Package) -> str:
    pairs = [(f"{package.name}:{Path(path).name}", path) for path in package.programs]
    if package.size:
        pairs.append((f"{package.name}:blob", _blob(package)))
    return "".join(
        f"install -D %{{_sourcedir}}/{source} %{{buildroot}}{path}\n" for source, path in pairs
    )
