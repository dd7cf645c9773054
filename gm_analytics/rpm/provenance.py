"""Who wanted what: the package specs that pulled each RPM of a closure in. No I/O.

No solver: yum has solved the closure. This follows what its packages say that they need to what
in it provides that, from the packages that a spec names. What nothing reaches stays unexplained.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from gm_analytics.errors import Malformed
from gm_analytics.rpm import grammar, used
from gm_analytics.rpm.grammar import lines
from gm_analytics.rpm.package import Package
from gm_analytics.rpm.versions import compare_evr, evr_key

MAX_NAMED, MAX_NAME = 10, 200
"""How many names a warning lists, and the characters of each."""
REFUSED = "; clients that check signatures take such packages with --nogpgcheck alone"
MAX_DEPTH = 50
"""Of brackets in a rich dependency."""


class Capability(NamedTuple):
    """Something that one package needs and another has: `nmap-ncat = 3:7.92-1.el9`."""

    name: str
    sense: str = ""
    """`<`, `<=`, `=`, `>=`, `>`, or empty if any version does."""
    evr: str = ""

    def is_met_by(self, offered: Capability) -> bool:
        """Compare the versions of two capabilities of one name as rpm's rpmdsCompare does."""
        if not self.sense or not offered.sense:
            return True
        ours, theirs = self.evr, offered.evr
        if "-" not in ours or "-" not in theirs:  # a release counts only if both have one
            ours, theirs = ours.partition("-")[0], theirs.partition("-")[0]
        order = compare_evr(theirs, ours)
        if order:
            towards, away = ("<", ">") if order > 0 else (">", "<")
            return towards in offered.sense or away in self.sense
        return bool(set(self.sense) & set(offered.sense))


@dataclass
class Relations:
    """What one RPM says of itself and others."""

    is_signed: bool = False
    module: str = ""
    """The label of the module's stream that it was built for."""
    requires: list[Capability] = field(default_factory=list)
    recommends: list[Capability] = field(default_factory=list)
    provides: list[Capability] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    """Those that a package requires or a spec names; the others were not asked for."""

    def of(self, kind: Literal["require", "recommend", "provide"]) -> list[Capability]:
        """Give the capabilities of one kind."""
        known = {"require": self.requires, "recommend": self.recommends}
        return known.get(kind, self.provides)


def parse(output: str) -> dict[str, Relations]:
    """Read the output of `relations`: the relations of each file.

    Raises:
        Malformed: a line or a field is not what it should be.

    """
    found: dict[str, Relations] = {}
    one = Relations()
    for line in lines(output, "what a package needs"):
        match line.split("\t"):
            case ["package", file]:
                one = found.setdefault(grammar.FILE.check(file), Relations())
            case ["signed"]:
                one.is_signed = True
            case ["module", label]:
                one.module = grammar.CAPABILITY.check(label)
            case ["file", path]:
                one.files.append(grammar.RPM_PATH.check(path))
            case [("require" | "recommend" | "provide") as kind, name, sense, evr]:
                one.of(kind).append(_capability(name, sense.strip(), evr))
            case _:
                raise Malformed("what a package needs", grammar.shown(line))
    return found


def _capability(name: str, sense: str, evr: str) -> Capability:
    grammar.SENSE.check(sense)
    return Capability(grammar.CAPABILITY.check(name), sense, grammar.OFFERED_EVR.check(evr))


def attribute(
    packages: Sequence[Package],
    relations: Mapping[str, Relations],
    specs: Sequence[str],
    members: Mapping[str, Collection[str]],
    *,
    weak: bool,
) -> tuple[Package, ...]:
    """Give the packages with the specs that pulled them in.

    `members` has the names that each group among the specs stands for; with `weak`, what a
    package recommends was installed too.
    """
    index = _Index(packages, relations)
    # Sets of specs as the bits of a number: thousands of specs may want the same packages.
    ordered = sorted(specs)
    needs = [set(index.needs(one, weak=weak)) for one in index.relations]
    edges, roots = used.edges(needs, [index.roots(s, members) for s in ordered], index.rank)
    wanted = [0] * len(packages)
    for bit, found in enumerate(roots):
        for root in found:
            wanted[root] |= 1 << bit
    fresh = {number for number, bits in enumerate(wanted) if bits}
    while fresh:
        grown = set()
        for number in fresh:
            for reached in edges[number]:
                if wanted[number] & ~wanted[reached]:
                    wanted[reached] |= wanted[number]
                    grown.add(reached)
        fresh = grown
    named = {bits: tuple(_chosen(ordered, bits)) for bits in set(wanted)}
    return tuple(
        replace(package, wanted=named[bits])
        for package, bits in zip(packages, wanted, strict=True)
    )


def left_out(relations: Iterable[Relations]) -> tuple[str, ...]:
    """Name what packages recommend and none of them provides, without rich dependencies."""
    known = list(relations)
    offered = {name for one in known for name in (*_names(one.provides), *one.files)}
    recommended = {name for one in known for name in _names(one.recommends) if name[0] != "("}
    return tuple(sorted(recommended - offered))


def unsigned(relations: Mapping[str, Relations]) -> tuple[str, ...]:
    """Give the files that carry no signature."""
    return tuple(sorted(file for file, one in relations.items() if not one.is_signed))


def warnings(relations: Mapping[str, Relations], *, weak: bool) -> tuple[str, ...]:
    """Say what a reviewer should know of a closure."""
    said = []
    if not weak and (names := left_out(relations.values())):
        said.append(f"{_count(names, 'recommended package')} left out: {_listed(names)}")
    if names := tuple(file.removesuffix(".rpm") for file in unsigned(relations)):
        verb, more = "is" if len(names) == 1 else "are", REFUSED * (len(names) < len(relations))
        said.append(f"{_count(names, 'package')} {verb} not signed: {_listed(names)}{more}")
    return tuple(said)


def _count(names: Sequence[str], noun: str) -> str:
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MAX_NAMED
    return ", ".join(map(_short, names[:MAX_NAMED])) + (f" and {more} more" if more > 0 else "")


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"


def _names(capabilities: Iterable[Capability]) -> Iterator[str]:
    return (capability.name for capability in capabilities)


def _chosen(specs: Sequence[str], bits: int) -> Iterator[str]:
    while bits:
        lowest = bits & -bits
        yield specs[lowest.bit_length() - 1]
        bits ^= lowest


class _Index:
    """The packages of a closure by all that they can be asked for; each is its number."""

    def __init__(self, packages: Sequence[Package], relations: Mapping[str, Relations]) -> None:
        self.relations = [relations.get(package.file, Relations()) for package in packages]
        self._packages = packages
        self._named: defaultdict[str, list[int]] = defaultdict(list)
        self._spelled: defaultdict[str, list[int]] = defaultdict(list)
        self._offered: defaultdict[str, list[tuple[int, Capability]]] = defaultdict(list)
        for number, (package, one) in enumerate(zip(packages, self.relations, strict=True)):
            self._named[package.name].append(number)
            for spelling in _spellings(package):
                self._spelled[spelling].append(number)
            for offered in (*one.provides, *map(Capability, one.files)):
                self._offered[offered.name].append((number, offered))

    def providers(self, need: Capability) -> Iterator[int]:
        offers = self._offered.get(need.name, ())
        return (number for number, offered in offers if need.is_met_by(offered))

    def needs(self, one: Relations, *, weak: bool) -> Iterator[used.Alternatives]:
        """Give the packages that fulfil each thing that one needs."""
        for need in (*one.requires, *(one.recommends if weak else ())):
            found = [frozenset(self.providers(operand)) for operand in _operands(need)]
            joined = _JOINING.intersection(need.name.split()) if need.name[:1] == "(" else set()
            if joined == {"or"}:
                yield frozenset().union(*found)
            elif joined == {"with"} and found:
                yield frozenset.intersection(*found)
            else:
                yield from found

    def roots(self, spec: str, members: Mapping[str, Collection[str]]) -> set[used.Alternatives]:
        """Give the packages that a spec names; of what it only asks for, those that have it."""
        if spec.startswith("@"):
            found = [n for name in members.get(spec, ()) for n in self._named.get(name, ())]
        elif not (found := self._spelled.get(spec, [])):
            return {frozenset(self._best([*self.providers(Capability(spec))]))}
        return {frozenset({number}) for number in self._best(found)}

    def _best(self, found: Sequence[int]) -> list[int]:
        """Give of each name those that yum would choose."""
        ranks = {number: self.rank(number) for number in found}
        best: dict[str, tuple[bool, object]] = {}
        for number, rank in ranks.items():
            name = self._packages[number].name
            best[name] = max(best.get(name, rank), rank)
        return [n for n, rank in ranks.items() if rank == best[self._packages[n].name]]

    def rank(self, number: int) -> tuple[bool, object]:
        """Prefer the machine's own architecture to the older one it also runs, then the newest."""
        package = self._packages[number]
        return package.arch not in {"i386", "i486", "i586", "i686"}, evr_key(package.evr)


def _spellings(package: Package) -> set[str]:
    """Give the specs that name a package by its name, version, release, architecture, epoch."""
    name, epoch, arch = package.name, package.epoch, package.arch
    plain = [f"{name}-{package.version}", f"{name}-{package.version}-{package.release}"]
    full = [f"{name}-{epoch}:{package.version}", f"{name}-{package.evr}"]
    every = [name, *plain, *full, *(f"{epoch}:{text}" for text in plain)]
    return {*every, *(f"{text}.{arch}" for text in every)}


_CONDITIONS = {"if", "unless", "without"}
_JOINING = {"and", "or", "with", "else", *_CONDITIONS}
_OPERATORS = {"<", "<=", "=", ">=", ">"}


def _operands(need: Capability) -> Iterator[Capability]:
    """Give what a dependency can pull in: of a rich one its operands, without its conditions.

    Source: https://rpm-software-management.github.io/rpm/manual/boolean_dependencies.html
    """
    if not need.name.startswith("("):
        yield need
        return
    condition = [False]  # at each depth of brackets
    words = _words(need.name)
    if not _is_balanced(words):
        return
    for index, word in enumerate(words):
        if word == "(":
            condition.append(condition[-1])
        elif word == ")":
            condition.pop()
        elif word in _CONDITIONS:
            condition[-1] = True
        elif word == "else":
            condition[-1] = condition[-2]
        elif word in {"and", "or", "with", *_OPERATORS} or words[index - 1] in _OPERATORS:
            continue
        elif not condition[-1]:
            sense, evr = words[index + 1 : index + 3]
            yield Capability(word, sense, evr) if sense in _OPERATORS else Capability(word)


def _is_balanced(words: Sequence[str]) -> bool:
    """Tell whether brackets are closed as they were opened, and operators stand between words."""
    depth = 0
    for word in words[:-1]:
        depth += (word == "(") - (word == ")")
        if not 0 <= depth <= MAX_DEPTH:
            return False
    return depth == 0 and words[-2:] == [")", ")"]


def _words(text: str) -> list[str]:
    """Split a rich dependency; brackets that belong to a name, as in `libz.so.1()`, stay."""
    words: list[str] = []
    for word in text.split():
        name = word.lstrip("(")
        closing = max(0, name.count(")") - name.count("("))
        words += ["("] * (len(word) - len(name))
        words += [name[: len(name) - closing], *[")"] * closing]
    return [*words, ")"]  # so that every operand has two words behind it
