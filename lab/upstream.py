"""The upstream repository: RPM files, their metadata, and changes to them during a test."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from lab.modules import ModuleDocument, modules_yaml
from lab.packages import CATALOG, GROUPS, Advisory, Environment, Group, Package, build
from lab.processes import CommandError, LabError, find_program, run

_CORRUPTED = 64
"""Bytes that `Upstream.corrupt` changes."""
_SOME_LEFT_OUT = 2


class SigningKey:
    """A throw-away GnuPG key that signs RPMs; `public_key` is its file for `gpgkey=`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.public_key = home / "RPM-GPG-KEY-lab"

    @classmethod
    @contextlib.contextmanager
    def make(cls, user_id: str = "lab") -> Iterator[SigningKey]:
        """Make the key in a directory of its own, which goes at the end with gpg's agent.

        Raises:
            CommandError: gpg's words.

        """
        # A short path: the agent's socket is in it, and a socket's name has 108 bytes at most.
        with tempfile.TemporaryDirectory(prefix="gpg-") as directory:
            key = cls(Path(directory))
            try:
                key.gpg("--quick-gen-key", user_id, "rsa2048", "sign", "never")
                key.public_key.write_text(key.gpg("--armor", "--export"), encoding="utf-8")
                yield key
            finally:
                run(["gpgconf", "--homedir", directory, "--kill", "all"], check=False)

    def gpg(self, *arguments: str) -> str:
        """Run gpg with this key's home and give its output."""
        batch = ("--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback")
        return run(["gpg", "--homedir", str(self.home), *batch, *arguments]).stdout

    def sign(self, files: Iterable[Path]) -> None:
        """Put a signature into each RPM.

        Raises:
            CommandError: rpmsign's words.

        """
        macros = (f"_gpg_path {self.home}", "_gpg_name lab", f"__gpg {find_program('gpg')}")
        defines = [word for macro in macros for word in ("--define", macro)]
        environment = {**os.environ, "HOME": str(self.home), "GNUPGHOME": str(self.home)}
        run(["rpmsign", *defines, "--addsign", *map(str, files)], env=environment)


class Upstream:
    """A directory with RPMs and `repodata`, to be served; changes show after each call."""

    def __init__(
        self,
        root: Path,
        key: SigningKey | None = None,
        groups: tuple[Group | Environment, ...] = GROUPS,
    ) -> None:
        self.root = root
        self.key = key
        self.groups = groups
        self.modules: tuple[ModuleDocument, ...] = ()
        self.advisories: tuple[Advisory, ...] = ()

    @classmethod
    def create(
        cls, root: Path, packages: Iterable[Package] = CATALOG, key: SigningKey | None = None
    ) -> Upstream:
        """Build the packages into `root` with their metadata."""
        upstream = cls(root, key)
        root.mkdir(parents=True, exist_ok=True)
        upstream.add(*packages)
        return upstream

    @classmethod
    def copy(cls, built: Path, root: Path, key: SigningKey | None = None) -> Upstream:
        """Start from a repository built before: its files are linked where that is possible.

        With a key the packages are signed, which makes other files of them.
        """
        upstream = cls(root, key)
        shutil.copytree(built, root, copy_function=shutil.copy2 if key else _link)
        root.chmod(0o755)
        if key:
            key.sign(sorted(root.glob("*.rpm")))
            upstream.refresh()
        return upstream

    def path(self, package: Package) -> Path:
        """Give the package's file."""
        return self.root / package.filename

    def add(self, *packages: Package, refresh: bool = True) -> tuple[Path, ...]:
        """Publish new packages, or the same ones rebuilt (`Package.rebuilt`)."""
        files = build(packages, self.root)
        if self.key:
            self.key.sign(files)
        if refresh:
            self.refresh()
        return files

    def remove(self, *packages: Package, refresh: bool = True) -> None:
        """Take packages away, files and metadata."""
        for package in packages:
            self.path(package).unlink()
        if refresh:
            self.refresh()

    def corrupt(self, package: Package, refresh: bool = False) -> Path:
        """Change the end of a package's payload, keeping its size.

        The metadata keep the old checksum, unless `refresh`: then the checksum is right, and
        only the digests and the signature inside the RPM are wrong.
        """
        path = self.path(package)
        content = path.read_bytes()
        end = bytes(byte ^ 0xFF for byte in content[-_CORRUPTED:])
        fresh = path.with_name(f".{path.name}")
        fresh.write_bytes(content[:-_CORRUPTED] + end)
        fresh.chmod(0o644)
        fresh.replace(path)
        if refresh:
            self.refresh()
        return path

    def refresh(self) -> None:
        """Write the metadata of the files that are there, with createrepo_c.

        It leaves out what is damaged, warns (0.17) or ends with 2 (1.2).
        """
        comps = self.root / "comps.xml"
        comps.write_text(_comps(self.groups), encoding="utf-8")
        compression = ("--general-compress-type=gz", "--no-database")
        argv = ["createrepo_c", "--quiet", *compression, "-g", "comps.xml", str(self.root)]
        done = run(argv, check=False)
        if done.returncode not in {0, _SOME_LEFT_OUT}:
            raise CommandError(argv, done.returncode, done.stdout + done.stderr)
        if self.modules:
            self._add("modules.yaml", modules_yaml(self.modules))
        if self.advisories:
            self._add("updateinfo.xml", _updateinfo(self.advisories))

    def _add(self, name: str, text: str) -> None:
        """Add a document to the metadata, its type by its name."""
        file = self.root / name
        file.write_text(text, encoding="utf-8")
        run(["modifyrepo_c", "--compress-type=gz", str(file), str(self.root / "repodata")])

    def repo_file(
        self, reposdir: Path, baseurl: str, gpgcheck: bool | None = None, name: str = "upstream"
    ) -> Path:
        """Write `<name>.repo` for this repository's clients; gpgcheck is on when it is signed."""
        checked = self.key is not None if gpgcheck is None else gpgcheck
        lines = [
            f"[{name}]",
            f"name=Upstream of the lab ({name})",
            f"baseurl={baseurl}",
            "enabled=1",
            f"gpgcheck={int(checked)}",
            "skip_if_unavailable=0",
        ]
        if self.key:
            public = reposdir / self.key.public_key.name
            shutil.copyfile(self.key.public_key, public)
            lines.append(f"gpgkey={public.as_uri()}")
        path = reposdir / f"{name}.repo"
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return path


@cache
def built_catalog() -> Path:
    """Give the directory of the unsigned catalog, built once in this process."""
    directory = Path(tempfile.mkdtemp(prefix="lab-upstream-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    Upstream.create(directory)
    return directory


def _comps(groups: Iterable[Group | Environment]) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<comps>'
        + "".join(group.xml() for group in groups)
        + "</comps>\n"
    )


def _updateinfo(advisories: Iterable[Advisory]) -> str:
    listed = "".join(advisory.xml() for advisory in advisories)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<updates>{listed}</updates>\n'


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError as error:
        if not Path(source).is_file():
            raise LabError(f"copying {source}: {error.strerror}") from error
        shutil.copy2(source, target)
    return target
