"""Taking over a plain repository, or an empty root: what is there becomes publication 1.

What is taken is compared with the primary.xml that was served: each file that it names must be
there, with its bytes, or nothing is taken over.
"""

from __future__ import annotations

from gm_analytics.errors import AdoptionShort, BadAnswer
from gm_analytics.mirror import checking, repository, survey
from gm_analytics.mirror.complaints import words
from gm_analytics.mirror.host import Host
from gm_analytics.mirror.printed import refusals
from gm_analytics.rpm import foreign, grammar
from gm_analytics.rpm.foreign import Named
from gm_analytics.rpm.package import Package
from gm_analytics.rpm.repodata import Data
from gm_analytics.rpm.strict import Malformed

_DOING = "taking over the repository"


def establish(host: Host, state: survey.State) -> None:
    """Make what is there the first publication.

    Raises:
        AdoptionShort: files that the metadata name are missing, or are others.
        BadAnswer: the metadata cannot be read, or a file has a name that none should have.

    """
    served = named(host) if state == "plain" else ()
    lines = (f"{one.digest.algorithm}\t{one.digest.value}\t{one.path}\n" for one in served)
    host.ssh.put(f"{host.target.root}/.staging/{repository.SERVED}", "".join(lines))
    argv = repository.establish(host.target, host.tools)
    result = host.ssh.run(argv, _DOING, host.target.timeout)
    if result.exited == survey.REFUSED:
        said = "; ".join(refusals(result.stdout, grammar.FILE))
        raise BadAnswer(host.name, _DOING, said)
    if result.exited == survey.SHORT_OF:
        files = list(map(grammar.printable, result.stdout.splitlines()))
        raise AdoptionShort(host.name, files, words(result.stderr))
    host.check(result, argv, _DOING)


def packages(host: Host) -> tuple[Package, ...]:
    """Give the packages that a plain repository would have, by its own metadata.

    Raises:
        BadAnswer: they cannot be read.

    """
    with host.answer("reading the repository's metadata"):
        return tuple(one.package for one in named(host))


def named(host: Host) -> tuple[Named, ...]:
    """Give the files that the repository's own metadata name.

    Raises:
        BadAnswer: they cannot be read.

    """
    try:
        repomd = _read(host, "repodata/repomd.xml", checking.MAX_REPOMD)
        primary = _primary(foreign.parse_repomd(repomd))
        return foreign.named(primary, _read(host, primary, checking.MAX_FILE))
    except Malformed as error:
        raise BadAnswer(host.name, _DOING, f"reading its metadata: {error}") from error


def _primary(files: tuple[Data, ...]) -> str:
    found = next((data.href for data in files if data.type == "primary"), None)
    if found is None:
        raise Malformed("no primary.xml in repomd.xml", "one")
    return found


def _read(host: Host, path: str, most: int) -> bytes:
    content = host.ssh.get(f"{host.target.root}/{path}", most)
    if content is None:
        raise Malformed(f"no {path}", "the file")
    return content
