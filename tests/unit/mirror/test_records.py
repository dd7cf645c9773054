"""The documents of repositories, as a real shell reads them from yum's cache and a publication."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from gm_analytics.errors import Malformed
from gm_analytics.mirror import records
from gm_analytics.mirror.reading import in_time
from gm_analytics.mirror.records import Records
from gm_analytics.mirror.survey import REFUSED, Target

PRIMARY = gzip.compress(b"<metadata/>", mtime=0)


def comps(*names: str) -> bytes:
    groups = "".join(f"<group><id>{name}</id></group>" for name in names)
    return f"<comps>{groups}</comps>".encode()


def repomd(files: Mapping[str, tuple[str, bytes]]) -> str:
    data = "".join(
        f'<data type="{kind}"><checksum type="sha256">{hashlib.sha256(content).hexdigest()}'
        f'</checksum><location href="repodata/{name}"/></data>\n'
        for kind, (name, content) in files.items()
    )
    return f'<repomd xmlns="http://linux.duke.edu/metadata/repo">{data}</repomd>'


def write(place: Path, files: Mapping[str, tuple[str, bytes]], *, leave_out: str = "") -> Path:
    place.mkdir(parents=True, exist_ok=True)
    (place / "repomd.xml").write_text(repomd(files))
    for name, content in files.values():
        if name != leave_out:
            (place / name).write_bytes(content)
    return place


@dataclass(frozen=True)
class Host:
    """A mirror's host with repository files and yum's cache."""

    root: Path
    manager: str = "dnf4"

    @property
    def target(self) -> Target:
        return Target(str(self.root / "repo"), str(self.root / "repos.d"), "9")

    def enable(self, text: str, name: str = "upstream") -> None:
        (self.root / "repos.d").mkdir(exist_ok=True)
        (self.root / "repos.d" / f"{name}.repo").write_text(text)

    def cache(
        self,
        name: str,
        files: Mapping[str, tuple[str, bytes]],
        *,
        age: float = 0,
        key: str = "0123456789abcdef",
        leave_out: str = "",
    ) -> Path:
        yum3 = self.manager == "yum3"
        above = self.root / "repo" / ".cache" / self.manager
        place = above / name if yum3 else above / f"{name}-{key}" / "repodata"
        write(place, files, leave_out=leave_out)
        then = (place / "repomd.xml").stat().st_mtime - age
        os.utime(place / "repomd.xml", (then, then))
        return place

    def run(self, served: str = "", update_id: str = "u") -> subprocess.CompletedProcess[str]:
        argv = list(records.records(self.target, served, update_id))
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    def read(self, served: str = "", update_id: str = "u") -> Records:
        done = self.run(served, update_id)
        assert done.returncode == 0, done.stderr
        assert not done.stderr
        return Records.parse(done.stdout)


@pytest.fixture(params=["dnf4", "dnf5", "yum3"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    host = Host(tmp_path, request.param)
    host.enable("[baseos]\nbaseurl=http://x/\n[team-comps]\n[off]\nenabled = 0\n")
    return host


def texts(found: Records, kind: str) -> list[bytes]:
    return [document.text() for document in found.upstreams(kind)]


def test_documents_are_told_by_their_types_whatever_their_names_say(host: Host) -> None:
    """A repository's own name, or a file's, may have `comps` in it."""
    host.cache(
        "team-comps",
        {
            "primary": ("a-comps.xml.gz", PRIMARY),
            "group_gz": ("b-groups.xml.gz", gzip.compress(comps("tools"))),
            "updateinfo": ("c", b"<updates/>"),
        },
    )
    host.cache("baseos", {"group": ("comps-BaseOS.xml.xz", lzma.compress(comps("core")))})
    found = host.read()
    assert [one.repository for one in found.upstream] == ["baseos", "team-comps"]
    assert texts(found, "group") == [comps("core"), comps("tools")]
    assert texts(found, "updateinfo") == [b"<updates/>"]
    assert texts(found, "modules") == []
    assert found.fresh


def test_only_the_newest_metadata_of_what_is_enabled_count(host: Host) -> None:
    host.cache("off", {"group": ("x-comps.xml", comps("off"))})
    host.cache("baseos-extra", {"group": ("x-comps.xml", comps("other"))})
    host.cache("gm-pool", {"group": ("x-comps.xml", comps("pool"))})
    if host.manager != "yum3":
        older = {"group": ("x-comps.xml", comps("older"))}
        host.cache("baseos", older, age=1000, key="f" * 16)
    host.cache("baseos", {"group": ("x-comps.xml", comps("now"))})
    assert texts(host.read(), "group") == [comps("now")]


def test_a_variable_in_an_id_stands_for_anything(host: Host) -> None:
    host.enable("[el$releasever-${basearch}-os]\n")
    host.cache("el9-x86_64-os", {"modules": ("x-modules.yaml", b"---\n")})
    assert texts(host.read(), "modules") == [b"---\n"]


def test_groups_that_a_repository_file_turns_off_do_not_count(host: Host) -> None:
    host.enable("[baseos]\nenablegroups=0\n[more]\n")
    for name in ("baseos", "more"):
        host.cache(name, {"group": ("c.xml", comps(name)), "modules": ("m.yaml", b"---\n")})
    assert texts(host.read(), "group") == [comps("more")]
    assert len(texts(host.read(), "modules")) == 2


def test_what_was_not_fetched_or_is_other_bytes_is_said_to_be_absent(host: Host) -> None:
    files = {"updateinfo": ("u.xml", b"<updates/>"), "modules": ("m.yaml", b"---\n")}
    place = host.cache("baseos", files, leave_out="u.xml")
    (place / "m.yaml").write_bytes(b"--- # other\n")
    (source,) = host.read().upstream
    assert source.documents == ()
    assert source.absent == ("updateinfo", "modules")


def test_a_publication_says_what_it_serves_and_what_was_adopted(host: Host) -> None:
    root = host.root / "repo"
    served = root / ".publications" / "000001"
    files = {
        "primary": ("p-primary.xml.gz", PRIMARY),
        "primary_db": ("p-primary.sqlite.bz2", b"x"),
        "prestodelta": ("d.xml", b"x"),
        "group": ("g.xml", comps("old")),
        "productid": ("productid", b"-----BEGIN"),
    }
    write(served / "repodata", files)
    found = host.read(".publications/000001")
    assert [one.kind for one in found.of("served").documents] == ["group"]
    kinds = [one.kind for one in found.of("adopted").documents]
    assert kinds == ["group", "productid"], "a repository as it was found is its own"
    assert len(found.of("served").digest) == 64
    served.rename(served.with_name("000002"))
    assert not host.read(".publications/000002").of("adopted").documents, "a later one is ours"
    others = {"appstream": ("a.xml", b"<components/>")}
    write(served.with_name("000002") / "adopted", others)
    (document,) = host.read(".publications/000002").of("adopted").documents
    assert document.type == "appstream"


def test_advisories_that_are_served_are_read_only_to_be_served_again(host: Host) -> None:
    files = {"updateinfo": ("u.xml", b"<updates/>"), "modules": ("m.yaml", b"---\n")}
    write(host.root / "repo/.publications/000002/repodata", files)
    found = host.read(".publications/000002").of("served")
    assert [one.kind for one in found.documents] == ["modules"]
    argv = records.records(host.target, ".publications/000002", "", upstream=False)
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    kinds = {one.kind for one in Records.parse(done.stdout).of("served").documents}
    assert kinds == {"updateinfo", "modules"}


def test_a_reviewed_preview_is_a_source_of_its_own(host: Host) -> None:
    write(host.root / "repo/.staging/u/reviewed", {"group": ("g.xml", comps("theirs"))})
    document = host.read(update_id="u").of("reviewed").find("group")
    assert document
    assert document.text() == comps("theirs")
    assert not host.read(update_id="v").of("reviewed").documents


@pytest.mark.parametrize("name", ["--help", ".x", "a b", "a;touch x", "$(id)", "ü", "x" * 300])
def test_a_file_under_a_hostile_name_is_refused_or_no_file(host: Host, name: str) -> None:
    place = host.cache("baseos", {"group": ("g.xml", comps("a"))})
    text = (place / "repomd.xml").read_text().replace("g.xml", name)
    (place / "repomd.xml").write_text(text)
    done = host.run()
    if done.returncode:
        assert done.returncode == REFUSED
        assert done.stdout.split("\n")[-2].startswith("f ")
    else:
        assert not Records.parse(done.stdout).upstreams("group")


def test_what_is_too_large_is_refused_and_not_sent(host: Host) -> None:
    limit = records.MAX_BYTES
    place = host.cache("baseos", {"updateinfo": ("u.xml", b"x" * limit)})
    assert len(host.read().upstream[0].documents[0].content) == limit
    (place / "u.xml").write_bytes(b"x" * (limit + 1))
    done = host.run()
    assert len(done.stdout) < 10_000
    with pytest.raises(Malformed, match="at most"):
        Records.parse(done.stdout)


def test_a_document_that_grows_when_it_is_opened_is_refused(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(records.MAX_OPEN, "updateinfo", 1000)
    for size, fits in ((1000, True), (1001, False)):
        host.cache("baseos", {"updateinfo": ("u.gz", gzip.compress(b" " * size))})
        (document,) = host.read().upstreams("updateinfo")
        if fits:
            assert len(document.text()) == size
        else:
            with pytest.raises(Exception, match="more than 1,000 bytes"):
                document.text()


def test_reading_ends_when_its_time_is_over() -> None:
    assert list(in_time([b"a", b"b"], 100)) == [b"a", b"b"]
    with pytest.raises(Malformed, match="0 seconds"):
        list(in_time([b"a", b"b"], 0))


@pytest.mark.parametrize(
    "output",
    [
        "repomd YQ==",
        "source elsewhere",
        "source upstream x",
        "source upstream x;y yes",
        "source served\nrepomd %%%",
        "source served\nrepomd YQ==",
        "source served\ndocument ../x YQ==",
        "what",
    ],
)
def test_what_a_mirror_forges_is_refused(output: str) -> None:
    with pytest.raises(Exception, match="found"):
        Records.parse(output + "\n")
