"""Hostile names through every command that a mirror is given, in a real shell with real tools.

Nothing may run (a payload would make a file called PWN), nothing outside the mirror's root may
change, and what Python takes for a name the script must take for one too, and nothing else.
"""

from __future__ import annotations

import inspect
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gm_analytics.errors import Malformed
from gm_analytics.mirror import downloads, history, repository, survey, yum
from gm_analytics.mirror.history import History, Pool, read_sums
from gm_analytics.mirror.publication import Closure
from gm_analytics.mirror.survey import REFUSED, Survey, Target, Tools
from gm_analytics.remote import commands
from gm_analytics.remote.commands import Argv
from gm_analytics.rpm import comps, grammar, provenance
from gm_analytics.rpm.package import Package as Rpm
from lab.crafted import patch
from lab.packages import Package, build

from .hostile import EVERY, PAYLOADS, SLASHED, file_names, texts

MODULES = (survey, yum, downloads, repository, history)
COMMANDS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": function
    for module in MODULES
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if function.__module__ == module.__name__
    and not name.startswith("_")
    and "target" in inspect.signature(function).parameters
    and name != "in_empty_root"  # it runs another command, and is run with each of yum's
}
YUM = {f"yum.{name}" for name in ("download", "resolve", "makecache", "names", "prove")}
FEW = settings(max_examples=max(25, settings().max_examples // 20))
"""Each is some runs of programs."""
LIVE, ID = ".publications/000001", "u1"
FILES = tuple(file_names())
FIELDS = (("N" * 60, "NAME"), ("V" * 60, "VERSION"), ("R" * 60, "RELEASE"))
TEMPLATE = Package("N" * 60, "V" * 60, "R" * 60, provides=("P" * 60,), requires=("Q" * 60,))


@dataclass(frozen=True)
class Ground:
    """A directory with a mirror's root and, beside it, what nothing may touch."""

    top: Path
    good: Path
    """A sound RPM."""
    template: Path
    """One whose header has long fields to be replaced."""

    @property
    def root(self) -> Path:
        return self.top / "repo"

    @property
    def rpms(self) -> Path:
        return self.root / ".staging" / ID / "rpms"

    @property
    def target(self) -> Target:
        return Target(str(self.root), str(self.top / "repos.d"), "9", timeout=60)

    def run(self, argv: Argv) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            commands.run(argv, 60, "gm-run:x:y"),
            cwd=self.top / "home",
            env={"HOME": str(self.top / "home"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=90,
        )

    def outside(self) -> dict[str, tuple[int, bytes]]:
        """Give the mode and content of all that is outside of staging, but for the ledger."""
        return {
            str(path.relative_to(self.top)): (
                path.lstat().st_mode,
                path.read_bytes() if path.is_file() and not path.is_symlink() else b"",
            )
            for path in sorted(self.top.rglob("*"))
            if not {".staging", ".cache", ".rpmdb", "added.txt"} & set(path.parts)
        }

    def names(self) -> list[str]:
        """Give the names of what is downloaded."""
        return [path.name for path in self.rpms.iterdir()]

    def ran(self) -> list[Path]:
        """Give what a payload has left."""
        return [*self.top.rglob("PWN*"), *Path.cwd().glob("PWN*")]

    def staged(self, name: str | bytes, content: Path | None = None) -> None:
        """Put one file, and nothing else, where downloads are."""
        shutil.rmtree(self.rpms.parent)
        self.rpms.mkdir(parents=True)
        encoded = name if isinstance(name, bytes) else os.fsencode(name)
        shutil.copy(content or self.good, os.fsencode(self.rpms) + b"/" + encoded)


TOOLS = Tools("dnf4", "/usr/bin/dnf", "/usr/bin/createrepo_c")


def printed(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stdout.decode("utf-8", "replace")


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    top = tmp_path_factory.mktemp("corpus")
    for name in ("repo", "outside", "home", "repos.d", "built"):
        (top / name).mkdir()
    (top / "outside" / "kept").write_text("kept")
    good, template = build([Package("good"), TEMPLATE], top / "built")
    made = Ground(top, good, template)
    made.rpms.mkdir(parents=True)
    (made.root / ".cache" / "dnf4").mkdir(parents=True)
    shutil.copy(good, made.root)
    run = made.run(("createrepo_c", "--quiet", "--no-database", str(made.root)))
    assert run.returncode == 0, run.stderr
    (made.root / ".staging" / repository.SERVED).write_text("")
    run = made.run(repository.establish(made.target, TOOLS))
    assert run.returncode == 0, run.stderr
    yield made
    assert not made.ran()


@pytest.fixture(autouse=True)
def unharmed(ground: Ground) -> Iterator[None]:
    before = ground.outside()
    yield
    assert not ground.ran()
    assert ground.outside() == before


def inspected(ground: Ground) -> subprocess.CompletedProcess[bytes]:
    return ground.run(downloads.inspect(ground.target, TOOLS, ID, LIVE))


def related(ground: Ground) -> subprocess.CompletedProcess[bytes]:
    """Ask about every file that is there, under whatever name it has."""
    return ground.run((*downloads.relations(ground.target, ID), *ground.names()))


def looked_at(ground: Ground) -> tuple[int, str]:
    done = inspected(ground)
    return done.returncode, printed(done)


# --- file names ---------------------------------------------------------------------------


def test_the_corpus_is_large() -> None:
    assert len(FILES) >= 200
    assert len(EVERY) >= 90


@pytest.mark.parametrize("command", ["inspect", "relations"])
def test_hostile_file_names_are_refused_before_a_program_sees_them(
    ground: Ground, command: str
) -> None:
    for name in FILES if command == "inspect" else FILES[::10]:
        ground.staged(name)
        done = inspected(ground) if command == "inspect" else related(ground)
        if grammar.FILE.fits(name):
            assert done.returncode == 0, (name, done.stderr)
        else:
            assert (done.returncode, bool(done.stdout)) == (REFUSED, True), (name, done.stderr)
        assert ground.names() in ([name], [ground.good.name])
        assert not ground.ran(), name


def test_hostile_file_names_in_yum_s_cache_are_moved_and_refused(ground: Ground) -> None:
    """What yum downloaded goes from its cache to staging by those names."""
    cache = ground.root / ".cache" / "dnf4" / "upstream-0123" / "packages"
    cache.mkdir(parents=True)
    for name in FILES[::10]:
        ground.staged(ground.good.name)
        (ground.rpms / ground.good.name).rename(cache / name)
        done = inspected(ground)
        fits = grammar.FILE.fits(name)
        assert done.returncode == (0 if fits else REFUSED), (name, done.stderr)
        assert ground.names() == [ground.good.name if fits else name]
        assert not list(cache.iterdir())
        assert not ground.ran(), name
    shutil.rmtree(cache.parent)


@FEW
@given(texts)
def test_script_and_service_agree_on_file_names(ground: Ground, text: str) -> None:
    encoded = text.replace("/", "").encode("utf-8", "surrogateescape")[:251] + b".rpm"
    if encoded in {b".rpm", b"..rpm"}:
        return
    ground.staged(encoded)
    code, said = looked_at(ground)
    if grammar.FILE.fits(encoded.decode("utf-8", "surrogateescape")):
        assert code == 0
        [package] = Closure.parse(said, ()).packages
        assert package.file == ground.good.name
    else:
        assert code == REFUSED


@pytest.mark.parametrize("kind", ["directory", "link", "dangling", "pipe", "socket", "device"])
def test_what_is_no_file_among_the_downloads_is_refused(ground: Ground, kind: str) -> None:
    ground.staged("good-1-1.noarch.rpm")
    path = ground.rpms / "x-1-1.noarch.rpm"
    match kind:
        case "directory":
            path.mkdir()
        case "link":
            path.symlink_to(ground.top / "outside" / "kept")
        case "dangling":
            path.symlink_to("nowhere")
        case "pipe":
            os.mkfifo(path)
        case "socket":
            os.mknod(path, stat.S_IFSOCK | 0o600)
        case "device":
            try:
                os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
            except PermissionError:
                pytest.skip("needs root")
    assert looked_at(ground)[0] == REFUSED
    assert related(ground).returncode == REFUSED


def test_a_name_of_255_bytes_is_a_name_and_its_file_gets_its_own(ground: Ground) -> None:
    ground.staged("a" * 251 + ".rpm")
    code, said = looked_at(ground)
    assert (code, Closure.parse(said, ()).packages[0].file) == (0, ground.good.name)


def test_a_list_of_packages_is_no_package(ground: Ground) -> None:
    """rpm would read it, and fetch what it names."""
    listing = ground.top / "home" / "list"
    listing.write_text(f"{ground.good}\nhttp://127.0.0.1:9/PWN.rpm\n")
    ground.staged("list-1-1.noarch.rpm", listing)
    done = inspected(ground)
    listing.unlink()
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"list-1-1.noarch.rpm" in done.stderr, "it is damaged"
    assert not ground.names(), "so that it is downloaded again"


def test_two_files_of_one_name_are_refused_unless_they_are_one(
    ground: Ground, tmp_path: Path
) -> None:
    ground.staged(ground.good.name)
    shutil.copy(ground.good, ground.rpms / "a.rpm")
    assert looked_at(ground)[0] == 0
    assert ground.names() == [ground.good.name]
    [other] = build([Package("good").rebuilt()], tmp_path)
    shutil.copy(other, ground.rpms / "b.rpm")
    code, said = looked_at(ground)
    assert (code, said) == (REFUSED, f"t {ground.good.name}\n")


# --- headers ------------------------------------------------------------------------------


def crafted(ground: Ground, old: str, text: str | bytes) -> str:
    """Stage an RPM with a field of its header replaced; give the field, as long as before."""
    encoded = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    value = encoded.replace(b"\0", b"").ljust(60, b"x")[:60]
    ground.staged("x-1-1.noarch.rpm", ground.template)
    patch(ground.rpms / "x-1-1.noarch.rpm", (old.encode() + b"\0", value + b"\0"))
    return value.decode("utf-8", "surrogateescape")


def judged(ground: Ground, field: str, text: str) -> None:
    code, said = looked_at(ground)
    kind = {"NAME": grammar.NAME, "VERSION": grammar.VERSION, "RELEASE": grammar.RELEASE}[field]
    if kind.fits(text):
        assert code == 0
        [package] = Closure.parse(said, ()).packages
        assert ground.names() == [package.file]
        assert text in {package.name, package.version, package.release}
    else:
        assert (code, said[:2]) == (REFUSED, "h "), (text, said)
        assert ground.names() == ["x-1-1.noarch.rpm"]


@pytest.mark.parametrize(("old", "field"), FIELDS)
def test_hostile_header_fields_are_refused(ground: Ground, old: str, field: str) -> None:
    for text in EVERY if field == "NAME" else EVERY[::4]:
        judged(ground, field, crafted(ground, old, text))


@FEW
@given(text=texts, which=st.sampled_from(FIELDS))
def test_script_and_service_agree_on_header_fields(
    ground: Ground, text: str, which: tuple[str, str]
) -> None:
    judged(ground, which[1], crafted(ground, which[0], text))


def test_a_forged_line_of_facts_is_refused(ground: Ground) -> None:
    """One file with two lines beside a file that rpm cannot read makes two lines of two files."""
    crafted(ground, "N" * 60, b"a\t0\t1\t1\tnoarch\nb")
    assert looked_at(ground)[0] == REFUSED


@pytest.mark.parametrize("old", ["P" * 60, "Q" * 60])
def test_capabilities_forge_no_lines(ground: Ground, old: str) -> None:
    for text in (
        *EVERY[::3],
        "a\t\t\nsigned",
        "a\t\t\nfile\t/etc/passwd",
        "x\t=\t1\nsigned\nprovide\ty",
    ):
        field = crafted(ground, old, text)
        done = related(ground)
        if {"\n", "\t"} & set(field):
            assert done.returncode == REFUSED, text
            continue
        assert done.returncode == 0, done.stderr
        with suppress(Malformed):
            [(file, one)] = provenance.parse(printed(done)).items()
            assert (file, one.is_signed) == (TEMPLATE.filename, False)
            assert not one.files


# --- every command ------------------------------------------------------------------------


@pytest.fixture
def littered(ground: Ground) -> Iterator[None]:
    """Have hostile names wherever a command looks; what is there already stays."""
    before = {path: path.lstat().st_mode for path in ground.root.rglob("*")}
    ground.staged(ground.good.name)
    places = (
        ground.root,
        ground.rpms,
        ground.rpms.parent,
        ground.root / ".publications",
        ground.root / ".previews",
        ground.root / "previews",
        ground.root / ".cache" / "dnf4",
        ground.root / ".staging",
    )
    for place in places:
        place.mkdir(exist_ok=True)
        for name in FILES[::2]:
            (Path(os.fsdecode(os.fsencode(place) + b"/" + os.fsencode(name)))).touch()
    for place in places[3:6]:
        for name in PAYLOADS:
            directory = Path(os.fsdecode(os.fsencode(place) + b"/1-" + os.fsencode(name)))
            with suppress(OSError):
                directory.mkdir()
                (directory / "packages.txt").write_text("../../outside/kept\n")
    (ground.root / "previews" / "7").symlink_to("../../outside/kept")
    yield
    for path in sorted(ground.root.rglob("*"), reverse=True):
        if path not in before and (path.exists() or path.is_symlink()):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    ground.rpms.mkdir(parents=True, exist_ok=True)


def arguments(function: Any, text: str, ground: Ground) -> dict[str, Any]:
    known = {"target": ground.target, "tools": TOOLS, "exact": False, "number": 7}
    asked = inspect.signature(function).parameters
    return {
        name: known.get(name, [text] if "Iterable" in str(one.annotation) else text)
        for name, one in asked.items()
    }


LISTS = ("new.txt", "locked.txt", "kept.txt", "gone.txt", "dropped.txt", "rpms.txt")


@pytest.mark.usefixtures("littered")
@pytest.mark.parametrize("name", sorted(set(COMMANDS) - YUM))
def test_hostile_arguments_and_files_run_nothing(ground: Ground, name: str) -> None:
    """Also with names as arguments that no caller would let through."""
    function, changed = COMMANDS[name], ground.outside()
    for text in (*PAYLOADS[::9], "u1"):
        given = arguments(function, text.replace("\0", ""), ground)
        if "update_id" in given:
            given["update_id"] = ID
        argv: Argv = function(**given)
        if isinstance(argv, tuple):
            ground.run(argv)
        assert not ground.ran(), text
    outside = {path: what for path, what in ground.outside().items() if "repo/" not in path}
    assert outside == {path: what for path, what in changed.items() if "repo/" not in path}


@pytest.mark.parametrize("name", sorted(YUM))
def test_hostile_specs_are_names_to_the_package_manager(ground: Ground, name: str) -> None:
    """The manifest's grammar bypassed; nothing is configured, so nothing is found."""
    specs = [text.encode("utf-8", "replace").decode() for text in EVERY if "\0" not in text]
    given = arguments(COMMANDS[name], "", ground) | {"update_id": ID}
    if "specs" in given:
        given["specs"] = specs
    argv: Argv = COMMANDS[name](**given)
    done = ground.run(yum.in_empty_root(ground.target, ID, argv))
    assert done.returncode or name in {"yum.makecache", "yum.names"}


def test_every_list_in_staging_is_made_of_names(ground: Ground) -> None:
    """What the service writes there went through the grammar; if not, nothing runs either."""
    ground.staged(ground.good.name)
    for text in PAYLOADS[::6]:
        for name in LISTS:
            content = (text + "\n").encode("utf-8", "surrogateescape")
            (ground.rpms.parent / name).write_bytes(content)
        for argv in (
            downloads.add(ground.target, ID),
            history.sums(ground.target, ID),
        ):
            ground.run(argv)
        assert not ground.ran(), text


# --- the pool -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["other", "link", "dangling", "directory", "pipe"])
def test_a_name_in_the_pool_is_created_and_never_written_over(ground: Ground, kind: str) -> None:
    """Also if it comes to be there after it was looked for."""
    pool = ground.root / "late-1-1.noarch.rpm"
    ground.staged(pool.name)
    (ground.rpms.parent / "new.txt").write_text(f"{pool.name}\n")
    match kind:
        case "other":
            pool.write_text("others")
        case "link":
            pool.symlink_to(ground.top / "outside" / "kept")
        case "dangling":
            pool.symlink_to(ground.top / "outside" / "made")
        case "directory":
            pool.mkdir()
        case "pipe":
            os.mkfifo(pool)
    before = pool.lstat()
    try:
        if kind != "pipe":  # cmp would wait for a writer, until its time is over
            done = ground.run(downloads.add(ground.target, ID))
            assert (done.returncode, printed(done)) == (77, f"{pool.name}\n")
            assert [pool.lstat().st_ino, pool.lstat().st_size] == [before.st_ino, before.st_size]
            assert not list(pool.glob("*"))
    finally:
        shutil.rmtree(pool) if kind == "directory" else pool.unlink()


def test_adding_is_repeated_after_it_was_cut_short(ground: Ground) -> None:
    names = ["one-1-1.noarch.rpm", "two-1-1.noarch.rpm"]
    ground.staged(names[0])
    shutil.copy(ground.good, ground.rpms / names[1])
    (ground.rpms.parent / "new.txt").write_text("".join(f"{name}\n" for name in names))
    os.link(ground.rpms / names[0], ground.root / names[0])
    try:
        for _ in range(2):
            done = ground.run(downloads.add(ground.target, ID))
            assert (done.returncode, done.stderr) == (0, b"")
            assert [(ground.root / name).stat().st_nlink for name in names] == [1, 1]
            assert not list(ground.rpms.iterdir())
    finally:
        for name in names:
            (ground.root / name).unlink()


# --- what comes back ----------------------------------------------------------------------

GRAMMARS = {name: one for name, one in vars(grammar).items() if isinstance(one, grammar.Grammar)}
FREE = {"CAPABILITY", "OFFERED_EVR", "TEXT", "RPM_PATH"}
"""Shown or compared, and never an argument, a path or a field of a line."""


@pytest.mark.parametrize("name", sorted(set(GRAMMARS) - FREE))
def test_what_fits_a_grammar_is_no_option_no_path_upwards_and_one_word(name: str) -> None:
    one, hostile = GRAMMARS[name], [*EVERY, *FILES]
    for text in filter(one.fits, hostile):
        assert not text.startswith(("-", "~")) or name in {
            "VERSION",
            "RELEASE",
            "SENSE",
            "MARK",
            "HREF",
        }
        assert ".." not in text.split("/") or name in {
            "VERSION",
            "RELEASE",
            "MARK",
            "REPOSITORY_ID",
            "ABSOLUTE_PATH",
        }
        assert not set(text) & set("\n\t\r\0$`;|&'\"\\*?(){}"), text


@pytest.mark.parametrize("name", sorted(set(GRAMMARS) - FREE))
def test_grep_and_python_read_a_grammar_alike(ground: Ground, name: str) -> None:
    one = GRAMMARS[name]
    candidates = sorted({t for t in (*EVERY, *FILES) if "\n" not in t and len(t) < one.longest})
    encoded = b"".join(t.encode("utf-8", "surrogateescape") + b"\n" for t in candidates)
    found = subprocess.run(
        ["grep", "-axE", one.ere],
        input=encoded,
        env={"LC_ALL": "C"},
        capture_output=True,
        check=False,
    ).stdout
    assert found.decode("utf-8", "surrogateescape").split("\n")[:-1] == list(
        filter(one.fits, candidates)
    )


@pytest.mark.parametrize("text", EVERY)
def test_what_a_mirror_forges_is_refused_wherever_it_is_read(text: str) -> None:
    line = Rpm("a-1-1.noarch.rpm", "a", 0, "1", "1", "noarch", 1, "a" * 64).line()
    columns = line.split("\t")
    for index in range(8):
        forged = "\t".join([*columns[:index], text, *columns[index + 1 :]])
        if index not in {3, 4}:  # a version may be many things
            with pytest.raises(Malformed):
                Rpm.parse(f"{forged}\n")
    for reader, output in (
        (History.parse, f"live {text}\n"),
        (History.parse, f"now {text}\n"),
        (Pool.parse, f"{text}\t1\t1\nsize\t1\nbefore\t1\nafter\t1\n"),
        (read_sums, f"{'a' * 64}  ./{text}\n"),
        (lambda said: Survey.parse(said, False), f"manager {text}\nstate empty\n"),
        (lambda said: Survey.parse(said, False), f"uid 0\nstate live {text}\n"),
        (lambda said: Survey.parse(said, False), f"createrepo {text}\nstate empty\n"),
        (lambda said: Closure.parse(said, ()), f"{text}\t{line}\n"),
    ):
        if text == "/etc/passwd" and "state empty" in output:
            continue  # an absolute path, as a program's is
        if "state empty" in output and grammar.ABSOLUTE_PATH.fits(text):
            continue
        with pytest.raises(Malformed):
            reader(output)
    noted = f"live .publications/000009/repodata\n{LIVE}/manifests.txt:{text}\n"
    forged_note = next(one for one in History.parse(noted).publications if one.directory == LIVE)
    assert forged_note.unreadable
    assert forged_note.manifests == ()


# --- groups -------------------------------------------------------------------------------


LAUGHS = (
    b'<!DOCTYPE comps [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<comps><group><id>&b;</id></group></comps>"
)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(LAUGHS, id="entities"),
        pytest.param(LAUGHS.decode().encode("utf-16"), id="entities in another encoding"),
        pytest.param(b'<?xml version="1.0" encoding="cp037"?>' + LAUGHS, id="a strange encoding"),
        pytest.param(
            b'<!DOCTYPE c [<!ENTITY x SYSTEM "file:///etc/passwd">]><comps>&x;</comps>',
            id="an external entity",
        ),
        pytest.param(b"<comps>" + b"<group>" * 100_000, id="deep"),
        pytest.param(b"<comps>", id="cut off"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\x00" * 100, id="zeros"),
        pytest.param(b" " * (comps.MAX_BYTES + 1), id="one byte too many"),
    ],
)
def test_groups_that_are_a_bomb_are_refused(document: bytes) -> None:
    for read in (comps.ids, lambda documents: comps.merge(documents, [], ["a"], None)):
        with pytest.raises(Malformed):
            read([document])


def test_groups_as_distributions_have_them_are_read() -> None:
    document = (
        b'<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE comps PUBLIC '
        b'"-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd"><comps><group><id>tools</id>'
        b'<name>Tools</name><name xml:lang="de">Werkzeug</name></group></comps>'
    )
    assert comps.ids([document]) == {"tools"}
    assert b'xml:lang="de"' in (comps.merge([document], [], ["tools"], None) or b"")


@pytest.mark.parametrize("text", [text for text in EVERY if text.isprintable()])
def test_hostile_group_ids_are_none(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    document = f"<comps><group><id>{escaped}</id></group></comps>".encode("utf-8", "replace")
    assert comps.ids([document]) <= {text}
    if not grammar.GROUP.fits(text):
        assert not comps.ids([document])


def test_module_names_streams_and_hrefs_have_a_grammar() -> None:
    for one in (grammar.MODULE, grammar.STREAM, grammar.HREF, grammar.GROUP, grammar.METADATA):
        for text in SLASHED:
            assert not one.fits(text) or (one is grammar.HREF and text == "a/b")
    assert grammar.HREF.fits("Packages/t/tree-1.8.0-1.el9.x86_64.rpm")
    assert grammar.MODULE.fits("nodejs")
    assert grammar.STREAM.fits("rhel8")
