"""What a candidate is proven with lies where its metadata say: run by a real shell."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from gm_analytics.remote.commands import script
from gm_analytics.rpm.package import Package

SUM = "a" * 64
WANTED = {"tree": ("tree",), "glibc": ("tree", "nmap"), "nmap": ("nmap",), "old": ()}
LOOK = 'ls "$0"; ls "$0" >> "$0.runs"; echo complaint >&2; exit $1'


@dataclass(frozen=True)
class Candidate:
    """A candidate in staging, of packages that are links to nothing."""

    root: Path
    kind: str = "addition"

    @property
    def staging(self) -> Path:
        return self.root / ".staging" / "u1"

    @property
    def place(self) -> Path:
        """Where packages are to be, by the address that the repository file gives."""
        offered = (self.staging / "candidate.d" / "candidate.repo").read_text()
        directory = Path(offered.removeprefix("baseurl=file://").strip())
        return directory.parents[1] if self.kind == "preview" else directory

    def made(self) -> Candidate:
        (self.staging / "candidate" / "repodata").mkdir(parents=True)
        (self.staging / "candidate.d").mkdir()
        (self.staging / "candidate.d" / "candidate.repo").write_text("baseurl=file:///none/\n")
        described = f'{{\n  "kind": "{self.kind}",\n  "number": 1\n}}\n'
        (self.staging / "candidate" / "publication.json").write_text(described)
        packages = [
            Package(f"{n}-1-1.noarch.rpm", n, 0, "1", "1", "noarch", 1, SUM, "upstream", specs)
            for n, specs in WANTED.items()
        ]
        text = "#gm-packages 1\n" + "".join(one.line() + "\n" for one in packages)
        (self.staging / "candidate" / "packages.txt").write_text(text)
        return self

    def prove(self, *specs: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Have a program look at what is there, and end with a code."""
        where = str(self.staging / "proof" / ("" if self.kind == "preview" else "previews/0"))
        look = ("sh", "-c", LOOK, where.rstrip("/"), str(code), *specs)
        argv = script("mirror", "proof", str(self.root), str(self.staging), *look)
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    def runs(self) -> list[str]:
        return Path(f"{self.place}".rstrip("/") + ".runs").read_text().split()


def files(*names: str) -> list[str]:
    return [f"{name}-1-1.noarch.rpm" for name in names]


@pytest.mark.parametrize("kind", ["addition", "preview"])
def test_what_the_specs_want_is_linked_and_the_output_is_the_command_s(
    tmp_path: Path, kind: str
) -> None:
    candidate = Candidate(tmp_path, kind).made()
    done = candidate.prove("tree")
    beside = "previews" if kind == "preview" else "repodata"
    assert done.stdout.split() == [*files("glibc"), beside, *files("tree")][:None], done
    assert (done.returncode, done.stderr) == (0, "complaint\n")
    assert (candidate.place / files("tree")[0]).readlink() == tmp_path / files("tree")[0]


def test_a_second_group_finds_what_it_wants_too(tmp_path: Path) -> None:
    candidate = Candidate(tmp_path).made()
    candidate.prove("tree")
    assert set(candidate.prove("nmap").stdout.split()) >= set(files("glibc", "nmap", "tree"))


@pytest.mark.parametrize("spec", ["@development", "/usr/bin/tree", "unheard-of"])
def test_of_what_packages_txt_does_not_tell_all_are_linked_at_once(
    tmp_path: Path, spec: str
) -> None:
    candidate = Candidate(tmp_path).made()
    assert set(candidate.prove(spec).stdout.split()) == {*files(*WANTED), "repodata"}
    assert len(candidate.runs()) == len(WANTED) + 1, "one run"


def test_what_fails_is_tried_once_more_with_all_and_the_second_run_counts(tmp_path: Path) -> None:
    candidate = Candidate(tmp_path).made()
    done = candidate.prove("tree", code=3)
    assert (done.returncode, done.stderr) == (3, "complaint\n")
    assert set(done.stdout.split()) == {*files(*WANTED), "repodata"}
    assert candidate.runs() == sorted([*files("glibc", "tree"), "repodata"]) + sorted(
        [*files(*WANTED), "repodata"]
    )


@pytest.mark.parametrize("kind", ["addition", "preview"])
def test_packages_that_metadata_name_through_the_link_lie_there(tmp_path: Path, kind: str) -> None:
    """A publication has a mirrorlist then; a preview has the link."""
    candidate = Candidate(tmp_path, kind).made()
    if kind == "preview":
        (candidate.staging / "candidate" / "Packages").symlink_to("../..")
    else:
        (candidate.staging / "candidate" / "repodata" / "mirrorlist").touch()
    candidate.prove("tree")
    linked = candidate.staging / "proof/previews/0/Packages" / files("tree")[0]
    assert linked.readlink() == tmp_path / files("tree")[0]
