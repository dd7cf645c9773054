"""What is compared before it is signed: metadata as createrepo writes it, and all else refused."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gm_analytics.errors import MetadataForged
from gm_analytics.mirror import checking
from gm_analytics.rpm import compressed
from gm_analytics.rpm.package import Package
from gm_analytics.rpm.strict import Malformed

TREE = Package("tree-1-2.x86_64.rpm", "tree", 0, "1", "2", "x86_64", 10, "a" * 64)
LIB = Package("lib+-3~rc1-4.noarch.rpm", "lib+", 1, "3~rc1", "4", "noarch", 20, "b" * 64)
KEPT = (TREE, LIB)
COMPS = b"<comps><group/></comps>"
SPACES = {"primary": "common", "filelists": "filelists", "other": "other"}


def primary_of(package: Package) -> str:
    p = package
    return f"""<package type="rpm">
  <name>{p.name}</name><arch>{p.arch}</arch>
  <version epoch="{p.epoch}" ver="{p.version}" rel="{p.release}"/>
  <checksum type="sha256" pkgid="YES">{p.sha256}</checksum>
  <summary>a &lt; b</summary><description/><packager></packager><url/><time file="1" build="1"/>
  <size package="{p.size}" installed="0" archive="124"/><location href="{p.file}"/>
  <format><rpm:license>MIT</rpm:license><rpm:header-range start="1" end="2"/>
   <rpm:provides><rpm:entry name="{p.name}" flags="EQ" epoch="0" ver="1" rel="2"/></rpm:provides>
   <file type="dir">/usr</file></format>
</package>
"""


def details_of(package: Package, part: str) -> str:
    return f"""<package pkgid="{package.sha256}" name="{package.name}" arch="{package.arch}">
  <version epoch="0" ver="1" rel="2"/>{part}</package>
"""


class Repodata:
    """Metadata of `KEPT`, with parts that a test replaces."""

    def __init__(self, packages: tuple[Package, ...] = KEPT, groups: bytes = b"") -> None:
        file, log = "<file>/usr/bin/x</file>", '<changelog author="a" date="1">b</changelog>'
        self.texts = {
            "primary": self.document("metadata", "common", map(primary_of, packages)),
            "filelists": self.document(
                "filelists", "filelists", (details_of(p, file) for p in packages)
            ),
            "other": self.document("otherdata", "other", (details_of(p, log) for p in packages)),
        }
        self.groups = groups
        self.suffix = ".gz"
        self.compress: Callable[[bytes], bytes] = gzip.compress
        self.more = ""
        self.repomd: Callable[[str], str] = lambda text: text
        self.files: dict[str, bytes] = {}

    @staticmethod
    def document(root: str, space: str, parts: object) -> str:
        head = '<?xml version="1.0" encoding="UTF-8"?>\n'
        rpm = 'xmlns:rpm="http://linux.duke.edu/metadata/rpm" ' if space == "common" else ""
        space = f'xmlns="http://linux.duke.edu/metadata/{space}"'
        return f'{head}<{root} {space} {rpm}packages="2">\n{"".join(parts)}</{root}>'  # type: ignore[call-overload]

    def data(self, kind: str, content: bytes) -> str:
        packed = self.compress(content)
        href = f"repodata/{sha256(packed).hexdigest()}-{kind}.xml{self.suffix}"
        self.files[href] = packed
        return f"""<data type="{kind}">
    <checksum type="sha256">{sha256(packed).hexdigest()}</checksum>
    <open-checksum type="sha256">{sha256(content).hexdigest()}</open-checksum>
    <location href="{href}"/><timestamp>1</timestamp>
    <size>{len(packed)}</size><open-size>{len(content)}</open-size></data>
"""

    def check(self, packages: tuple[Package, ...] = KEPT, groups: str = "") -> None:
        data = [self.data(kind, text.encode()) for kind, text in self.texts.items()]
        if self.groups:
            data.append(self.data("group", self.groups))
        space = 'xmlns="http://linux.duke.edu/metadata/repo"'
        text = f"<repomd {space}><revision>1</revision>{''.join(data)}{self.more}</repomd>"
        repomd = self.repomd(text).encode()
        checking.check(
            "m", repomd, lambda href, most: self.files[href][: most + 1], packages, groups=groups
        )

    def refused(self, packages: tuple[Package, ...] = KEPT, groups: str = "") -> str:
        with pytest.raises(MetadataForged) as caught:
            self.check(packages, groups)
        return str(caught.value)


def test_what_createrepo_writes_is_as_expected() -> None:
    Repodata().check()
    Repodata(groups=COMPS).check(groups=sha256(COMPS).hexdigest())
    Repodata(()).check(())


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
    "": bytes,
}


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_each_compression_is_read(suffix: str) -> None:
    made = Repodata()
    made.suffix, made.compress = suffix, COMPRESSIONS[suffix]
    made.check()


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("more", [True, False])
def test_a_file_that_ends_early_or_goes_on_is_refused(suffix: str, more: bool) -> None:
    """What follows the end of a stream is read by some, and by others not."""
    made = Repodata()
    compress = COMPRESSIONS[suffix]
    made.suffix = suffix
    made.compress = lambda content: (
        compress(content) + compress(b"<x/>") if more else compress(content)[:-9]
    )
    assert "found " in made.refused()


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_a_bomb_is_opened_no_further_than_repomd_says(suffix: str) -> None:
    content = COMPRESSIONS[suffix](b"\0" * 50_000_000)
    largest = max(map(len, compressed.pieces(f"bomb.xml{suffix}", content)))
    assert largest <= compressed.CHUNK
    made = Repodata()
    made.suffix, made.compress = suffix, COMPRESSIONS[suffix]
    made.repomd = lambda text: re.sub("<open-size>.*?<", "<open-size>100<", text, count=1)
    assert "found more than 100 bytes in it" in made.refused()


ELSE = replace(TREE, name="stranger", file="stranger-1-2.x86_64.rpm")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ((TREE, LIB, ELSE), "found package stranger-0:1-2.x86_64 at stranger-1-2.x86_64.rpm"),
        ((TREE, LIB, TREE), "found package tree-0:1-2.x86_64"),
        ((TREE,), "found 1 packages missing; expected lib+-1:3~rc1-4.noarch"),
        ((TREE, replace(LIB, name="evil")), "found package evil-1:3~rc1-4.noarch"),
        ((TREE, replace(LIB, epoch=9)), "found package lib+-9:3~rc1-4.noarch"),
        ((TREE, replace(LIB, version="9")), "found package lib+-1:9-4.noarch"),
        ((TREE, replace(LIB, release="9")), "found package lib+-1:3~rc1-9.noarch"),
        ((TREE, replace(LIB, arch="src")), "found package lib+-1:3~rc1-4.src"),
        ((TREE, replace(LIB, name="Lib+")), "found package Lib+-1:3~rc1-4.noarch"),
        ((TREE, replace(LIB, name="lib+ ")), "found package lib+ -1:3~rc1-4.noarch"),
        ((TREE, replace(LIB, sha256="c" * 64)), "with SHA-256 cccc"),
        ((TREE, replace(LIB, sha256="B" * 64)), "with SHA-256 BBBB"),
        ((TREE, replace(LIB, size=21)), "of 21 bytes; expected 20"),
        ((TREE, replace(LIB, file=f"./{LIB.file}")), "at ./lib+"),
        ((TREE, replace(LIB, file=f"http://evil/{LIB.file}")), "at http://evil/lib+"),
    ],
)
def test_each_package_is_the_one_that_was_chosen(found: tuple[Package, ...], words: str) -> None:
    assert words in Repodata(found).refused()


@pytest.mark.parametrize("kind", ["filelists", "other"])
@pytest.mark.parametrize("found", [(TREE,), (TREE, LIB, ELSE), (TREE, TREE), (TREE, LIB, LIB)])
def test_the_other_lists_name_the_same(kind: str, found: tuple[Package, ...]) -> None:
    made = Repodata()
    made.texts[kind] = Repodata(found).texts[kind]
    assert kind in made.refused()


def test_a_source_package_is_known_by_its_file() -> None:
    """rpm says of it on what it was built."""
    source = replace(TREE, file="tree-1-2.src.rpm")
    Repodata((replace(source, arch="src"),)).check((source,))


@pytest.mark.parametrize("found", [b"", b"<comps/>"])
def test_the_groups_file_is_the_one_that_was_written(found: bytes) -> None:
    assert Repodata(groups=found).refused(groups=sha256(COMPS).hexdigest())
    assert "expected no groups file" in Repodata(groups=COMPS).refused()


HREF = r'<location href="[^"]*"/>'


@pytest.mark.parametrize(
    ("pattern", "text", "words"),
    [
        ("</revision>", '</revision><data type="updateinfo"/>', "updateinfo without location"),
        ("</revision>", '</revision><data type="Pri mary"/>', "type 'Pri mary'"),
        ("</revision>", '</revision><data type="primary_db"/>', "primary_db without location"),
        ("</revision>", "</revision><x/>", "element 'x'"),
        ("</revision>", '</revision><data type="primary"/>', "twice"),
        ('type="other"', 'type="filelists"', "twice"),
        ('type="other"', 'type="group"', "no other"),
        (HREF, "", "without location"),
        (HREF, '<location href="repodata/../../etc/x.gz"/>', "location"),
        (HREF, '<location href="/etc/passwd"/>', "location"),
        (HREF, '<location href="repodata/a b.gz"/>', "location"),
        (HREF, '<location href="repodata/a.gz" xml:base="http://evil/"/>', "xml:base"),
        (HREF, '<location href="repodata/a.gz"/><location href="repodata/b.gz"/>', "twice"),
        (HREF, "<location/>", "attributes none"),
        ("<checksum", '<checksum type="sha256">0</checksum><checksum', "0"),
        ('<checksum type="sha256">', '<checksum type="md5">', "type 'md5'"),
        ('<checksum type="sha256">', '<checksum type="sha256">\n', "checksum"),
        ('<checksum type="sha256">.', '<checksum type="sha256">', "checksum"),
        ("<size>", "<size>9", "bytes"),
        ("<size>[0-9]*", "<size>999999999999", "at most"),
        ("<size>[0-9]*", "<size>-1", "'-1'"),
        ("<size>[0-9]*", "<size>", "''"),
        ("<open-size>", "<open-size>9", "bytes in it"),
        ("<open-checksum[^>]*>.{5}", '<open-checksum type="sha256">00000', "of what is in it"),
        ("^", "<!DOCTYPE repomd>", "a document type"),
        ("^", '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "a document type"),
        ("^", '<?xml version="1.0" encoding="utf-16"?>', "found XML 1.0 in utf-16"),
        ("^", '<?xml version="1.1"?>', "found "),
        ("^", "<?xml-stylesheet href='x'?>", "a processing instruction"),
        ("<revision>", "<!-- --><revision>", "a comment"),
        ("<revision>", "<revision><![CDATA[1]]>", "a CDATA section"),
        ("<revision>", "<revision>&lol;", "undefined entity"),
        ("metadata/repo", "metadata/other", "a first element"),
        ("</repomd>", "", "no element found"),
        ("</repomd>", "</repomd><repomd/>", "junk"),
        ("<size>", f"<size>{'9' * 5000}", "a text of more than"),
        ("<revision>", f"<revision>{'<revision>' * 1000}", "element 'revision'"),
    ],
)
def test_a_repomd_that_createrepo_does_not_write_is_refused(
    pattern: str, text: str, words: str
) -> None:
    made = Repodata()
    made.repomd = lambda repomd: re.sub(pattern, lambda _: text, repomd, count=1)
    assert words in made.refused()


@pytest.mark.parametrize(
    ("pattern", "text", "words"),
    [
        ("<name>", "<name>x</name><name>", "name twice"),
        ("<location", '<location href="evil.rpm"/><location', "location twice"),
        ("<location ", '<location xml:base="http://evil/" ', "xml:base"),
        ("<checksum", '<checksum type="sha256" pkgid="NO">1</checksum><checksum', "pkgid YES"),
        ('type="sha256"', 'type="sha"', "sha256, and pkgid YES"),
        ("<version[^>]*>", "", "without version"),
        ("<version", '<version epoch="0" ver="9" rel="9"/><version', "version twice"),
        ("<size", "<Size", "element 'Size'"),
        ("<format>", "<format><package type='rpm'></package>", "element 'package'"),
        ("<format>", "<format><name>evil</name>", "element 'name'"),
        ("<package ", '<x:package xmlns:x="y" ', "element 'x:package'"),
        ('<package type="rpm">', '<package type="rpm" xmlns="evil">', "xmlns"),
        ('<package type="rpm">', '<package type="delta">', "'delta'"),
        ("<rpm:entry ", "<rpm:file ", "element 'rpm:file'"),
        ("<name>", "<name><!-- -->", "a comment"),
        ("<name>", f"<name>{'x' * 5000}", "a text of more than"),
        ("<format>", f"<format a='{'x' * 3_000_000}'>", "a tag of more than"),
        ('packages="2"', 'packages="2" base="x"', "a first element"),
        ("&lt;", "&lol;", "undefined entity"),
    ],
)
def test_a_list_that_createrepo_does_not_write_is_refused(
    pattern: str, text: str, words: str
) -> None:
    made = Repodata()
    made.texts["primary"] = re.sub(pattern, lambda _: text, made.texts["primary"], count=1)
    assert words in made.refused()


def test_a_long_text_that_is_not_compared_is_no_matter() -> None:
    made = Repodata()
    text = f"<summary>{'x' * 5_000_000}"
    made.texts["primary"] = made.texts["primary"].replace("<summary>", text, 1)
    made.check()


@given(st.binary(max_size=400), st.sampled_from(["primary", "filelists", "repomd", "packed"]))
def test_whatever_is_found_is_an_error_of_its_own(content: bytes, where: str) -> None:
    made = Repodata()
    text = content.decode("latin-1")
    if where == "repomd":
        made.repomd = lambda _: text
    elif where == "packed":
        made.compress = lambda _: content
    else:
        made.texts[where] = text
    made.refused()


@given(st.data())
def test_no_byte_of_a_list_can_be_changed_unseen(data: st.DataObject) -> None:
    """Unless what is compared stays the same."""
    made = Repodata()
    text = made.texts["primary"]
    at = data.draw(st.integers(0, len(text) - 1))
    made.texts["primary"] = text[:at] + data.draw(st.sampled_from("<>&\"'x 0\0é")) + text[at + 1 :]
    try:
        made.check()
    except MetadataForged:
        return
    found = made.texts["primary"]
    for package in KEPT:
        for fact in (f"<name>{package.name}<", package.sha256, f'"{package.file}"'):
            assert fact in found


def test_a_name_that_says_no_compression_is_refused() -> None:
    with pytest.raises(Malformed):
        list(compressed.pieces("primary.xml.lz4", b""))
