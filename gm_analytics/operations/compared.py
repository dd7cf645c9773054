"""Files that HTTP serves, compared with what was published: a finding each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from gm_analytics.mirror.checking import MAX_FILE, size_of
from gm_analytics.mirror.publication import Publication
from gm_analytics.mirror.served import AT_ONCE, REPOMD, Differs, File, Served
from gm_analytics.operations.findings import Finding
from gm_analytics.rpm import foreign, repodata
from gm_analytics.rpm.strict import Malformed
from gm_analytics.wording import counted

MOST = 20
"""Findings of one kind, before the rest is counted."""


def differs(subject: str, error: Differs) -> Finding:
    """Say that a file is not served as it was published."""
    return Finding(subject, "unknown" if error.unknown else "fail", str(error))


def compared(subject: str, said: str, compare: Callable[[], None]) -> Finding:
    """Say what came of a comparison that may raise `Differs`."""
    try:
        compare()
    except Differs as error:
        return differs(subject, error)
    return Finding(subject, "ok", said)


def all_of(
    web: Served, subject: str, files: list[File], said: str, hint: str = ""
) -> Iterator[Finding]:
    """Look at files, a few at once; say what is wrong with each, or that none differs.

    The last of those that differ says what helps, `hint`.
    """

    def look(file: File) -> Finding:
        return compared(subject, said, lambda: web.file(file))

    with ThreadPoolExecutor(AT_ONCE) as threads:
        bad = [finding for finding in threads.map(look, files) if not finding.good]
    if not bad:
        yield Finding(subject, "ok", said)
        return
    shown = bad[:MOST]
    if len(bad) > MOST:
        shown.append(
            Finding(subject, bad[-1].severity, f"and {counted(len(bad) - MOST, 'file')} more")
        )
    yield from shown[:-1]
    yield replace(shown[-1], hint=hint if shown[-1].severity == "fail" else "")


def named(repomd: bytes, *, made: bool) -> list[File]:
    """Give the files that a repomd.xml names, with their checksums. Raises `Differs`."""
    try:
        found = (repodata if made else foreign).parse_repomd(repomd)
        sizes = [size_of(data) if "size" in data.sizes else MAX_FILE for data in found]
    except Malformed as error:
        raise Differs(REPOMD, str(error)) from error
    sums = [data.digests["checksum"] for data in found]
    return [
        File(data.href, digest.value, digest.algorithm, most=size)
        for data, digest, size in zip(found, sums, sizes, strict=True)
    ]


def keys(web: Served, mirror: str, publication: Publication | None) -> Iterator[Finding]:
    """Compare the keys that clients check packages by with what a publication says of them."""
    found = publication.signatures if publication else None
    subject = f"mirror {mirror} keys"
    if found is None:
        return
    if found.keys:
        named = ", ".join(key.fingerprint for key in found.keys)
        files = [File(key.path, key.sha256) for key in found.keys]
        said = f"the keys that clients check packages by are served: {named}"
        yield from all_of(web, subject, files, said, "The next publication puts them back.")
    if found.lacking:
        said = f"no key is known of {', '.join(found.lacking)}, which sign packages"
        hint = "Give the upstream repository its gpgkey= on the mirror's host, and publish."
        yield Finding(subject, "warn", said, hint)
    if found.unsigned:
        count = counted(len(found.unsigned), "package")
        yield Finding(subject, "warn", f"{count} not signed, which clients that check refuse")
