"""The repository on a mirror host: the commands that look at it and change it, as data.

ROOT/*.rpm                      the pool: a file is written once and never changed
ROOT/RPM-GPG-KEY-gm-mirror      the key of the metadata, if they are signed
ROOT/keys/RPM-GPG-KEY-…         upstream's, by which packages are signed
ROOT/repodata                   link to .publications/NNNNNN/repodata, switched by rename(2)
ROOT/Packages                   link to ROOT, through which metadata name the pool's files
ROOT/publications/17/           links to a publication's repodata, and to ROOT as Packages
ROOT/publications/2026-11-25    link to the newest of that day or before
ROOT/.publications/NNNNNN/      repodata/, packages.txt, publication.json, manifests.txt
ROOT/previews/42  previews/42.repo   link to .previews/42-DIGEST, and what a client takes of it
ROOT/.staging/<update id>/      half-done work
ROOT/.cache/  ROOT/.lock        yum's cache; flock, one writer
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from gm_analytics.mirror.addresses import Address
from gm_analytics.mirror.downloads import guarded
from gm_analytics.mirror.public_keys import DIRECTORY
from gm_analytics.mirror.survey import OVERTAKEN, SHORT_OF, Target, Tools
from gm_analytics.remote.commands import Argv, script
from gm_analytics.rpm import header
from gm_analytics.rpm.grammar import METADATA, PREVIEW

MAX_KEY = 256 * 1024
"""Bytes of one file of public keys."""

# --- first contact ---------------------------------------------------------------------------

_EXCHANGE = """
import ctypes, os, sys
AT_FDCWD, RENAME_EXCHANGE = -100, 2
libc = ctypes.CDLL(None, use_errno=True)
old, new = (os.fsencode(name) for name in sys.argv[1:3])
sys.exit(libc.renameat2(AT_FDCWD, old, AT_FDCWD, new, RENAME_EXCHANGE) and 1)
"""


SERVED = "served.txt"
"""List below `.staging` of the files that a plain repository serves; see establish.sh."""


def establish(target: Target, tools: Tools) -> Argv:
    """Give an empty root its first, empty publication, or adopt a plain repository as it is."""
    arguments = (target.root, f"{target.root}/.staging/{SERVED}", str(SHORT_OF))
    argv = guarded("establish", *arguments, *_createrepo(tools), types="fl")
    return ("env", f"EXCHANGE={_EXCHANGE}", *argv)


# --- build ---------------------------------------------------------------------------------

PREVIEW_PREFIX = "../.."
"""From a preview's address to the pool's."""


def build(target: Target, tools: Tools, update_id: str, base: str, *, exact: bool) -> Argv:
    """Write the metadata of the packages in staging's `packages.txt`, as a candidate there.

    `base` is the publication that it follows. What an adopted repository brought along goes on,
    unless `exact`.
    """
    adopted = "" if exact else base
    return _build(target, tools, update_id, base, adopted)


def rebuild(target: Target, tools: Tools, update_id: str, base: str, older: str) -> Argv:
    """Write as a candidate the metadata of an older publication again."""
    return _build(target, tools, update_id, base, older)


def addressed(argv: Argv, address: Address | None) -> Argv:
    """Give the command of `build` or `rebuild` whose publication is to have an address."""
    if address is None:
        return argv
    return ("env", f"PACKAGES={address.link}", f"ADDRESS={address.url}", *argv)


def build_preview(
    target: Target, tools: Tools, update_id: str, number: int, link: str = ""
) -> Argv:
    """Write a preview's metadata as a candidate: its packages are the pool's, two levels up.

    They are named through the link, if there is one.
    """
    prefix = () if link else (f"--location-prefix={PREVIEW_PREFIX}",)
    argv = _build(target, tools, update_id, f"previews/{number}", "", *prefix)
    return addressed(argv, Address(link) if link else None)


def _build(
    target: Target, tools: Tools, update_id: str, base: str, adopted: str, *more: str
) -> Argv:
    staging, grace = target.staging(update_id), str(target.grace_minutes)
    createrepo = (*createrepo_of(tools, target.root), *more)
    inner = script("mirror", "build", target.root, staging, base, grace, adopted, *createrepo)
    return ("env", f"METADATA={METADATA.ere}", f"MODIFYREPO={_modifyrepo(tools)}", *inner)


def _modifyrepo(tools: Tools) -> str:
    """Give the command that adds a document to a repomd.xml; it comes with createrepo."""
    if PurePosixPath(tools.createrepo).name == "createrepo":  # whose default is gzip
        return "modifyrepo"
    return "modifyrepo_c --compress-type=gz"


def createrepo_of(tools: Tools, root: str) -> Argv:
    """Give the createrepo command that takes over what the live metadata say already."""
    return (*_createrepo(tools), "--update", f"--update-md-path={root}")


def _createrepo(tools: Tools) -> Argv:
    base = (tools.createrepo, "--quiet", "--no-database")
    if PurePosixPath(tools.createrepo).name == "createrepo":
        return base
    # createrepo_c 1.0 and later default to zstd, which EL 7 and EL before 8.4 cannot read.
    return (*base, "--general-compress-type=gz")


def offer_key(target: Target, update_id: str, name: str) -> Argv:
    """Have the public key that staging has served below the root's address."""
    staged = target.staging(update_id, name)
    return script("mirror", "offer-key", f"{target.root}/{name}", staged)


def keys(target: Target) -> Argv:
    """Print the public keys that upstream's repository files name."""
    arguments = (target.reposdir, target.releasever, target.arch or "")
    return ("env", f"LARGEST={MAX_KEY}", *script("mirror", "keys", *arguments))


def offer_keys(target: Target, update_id: str, names: Iterable[str]) -> Argv:
    """Have upstream's public keys that staging has served below the root's address."""
    place = f"{target.root}/{DIRECTORY}"
    return script("mirror", "offer-keys", place, target.staging(update_id), *names)


def switch(target: Target, update_id: str, base: str, following: str) -> Argv:
    """Make the candidate live by one rename(2), if `base` still is; print repomd.xml's SHA-256."""
    staging = target.staging(update_id)
    return script("mirror", "switch", target.root, staging, base, following, str(OVERTAKEN))


_PREVIEW_NAME = f"PREVIEW={PREVIEW.ere}"


def switch_preview(target: Target, update_id: str, number: int, repo_file: str) -> Argv:
    """Make the candidate a pull request's preview by one rename(2); print its SHA-256.

    `repo_file` is what clients take of it, as `previews/NUMBER.repo`.
    """
    staging, following = target.staging(update_id), f"{number}-{_opaque(update_id)}"
    arguments = (target.root, staging, str(number), following)
    shown = (_PREVIEW_NAME, f"REPO_FILE={repo_file}")
    return ("env", *shown, *script("mirror", "switch-preview", *arguments))


def _opaque(update_id: str) -> str:
    """Name what is served, and not the update: its id opens its page."""
    return hashlib.sha256(update_id.encode()).hexdigest()[:16]


def preview(target: Target, number: int) -> Argv:
    """Print the SHA-256 of a preview's repomd.xml and its publication.json, if there is one."""
    return script("mirror", "preview", target.root, str(number))


def drop_preview(target: Target, number: int) -> Argv:
    """Stop serving a preview, and say `dropped` if there was one.

    Its directory stays for a while, so that its RPMs do, for clients that have its metadata.
    """
    return ("env", _PREVIEW_NAME, *script("mirror", "drop-preview", target.root, str(number)))


def take_groups(target: Target, update_id: str, number: int) -> Argv:
    """Put the groups and advisories that a preview has into staging."""
    preview = f"{target.root}/previews/{number}"
    return script("mirror", "take-groups", preview, target.staging(update_id))


def remember(target: Target, update_id: str, publication: str, digest: str, mark: str) -> Argv:
    """Note that a publication satisfies a manifest that it was not made for, and which merge."""
    place, staging = f"{target.root}/{publication}", target.staging(update_id)
    return script("mirror", "remember", place, digest, mark, staging)


def sweep(target: Target, update_id: str, cache: str) -> Argv:
    """Remove an update's staging directory, and those that were left behind days ago.

    Downloads in yum's `cache` go too, unless that is empty: another update may be writing them.
    """
    return script("mirror", "sweep", target.root, target.staging(update_id), cache)


_SUM = re.compile(r"([0-9a-f]{64}) ((?:\.publications/\d{6,12}|previews/\d{1,12})/[a-z./]{1,30})")


def made_of(target: Target) -> Argv:
    """Print the SHA-256 of what each publication and each preview is made of."""
    return script("mirror", "made-of", target.root)


def parse_made_of(output: str) -> dict[str, str]:
    """Read the output of `made_of`: digests by path."""
    matches = map(_SUM.fullmatch, output.splitlines())
    return {match[2]: match[1] for match in matches if match}


def reseal(target: Target, publication: str, fresh: str) -> Argv:
    """Put a new statement in the place of a publication's, by one rename(2)."""
    return script("mirror", "reseal", f"{target.root}/{publication}/signed.json", fresh)


def described(target: Target, publication: str) -> Argv:
    """Print what the headers of a publication's RPMs say, for `rpm.header.parse`."""
    return script("mirror", "described", target.root, publication, header.FORM)


def packages(target: Target, publication: str) -> Argv:
    """Print the packages of a publication."""
    return ("cat", f"{target.root}/{publication}/packages.txt")
