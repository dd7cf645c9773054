"""What decides which packages a manifest means: named one by one, and told apart by a digest.

A publication keeps the digest of each manifest that it satisfies, in manifests.txt. The same one
again needs no yum run; another one is solved.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field, fields
from hashlib import sha256

from gm_analytics.manifest import Manifest
from gm_analytics.mirror.survey import Signatures
from gm_analytics.settings import Upstream

NOT_COUNTED = "former"


@dataclass(frozen=True)
class SolveKey:
    """The named things that decide a solution.

    What is at its default does not count, so a field that is added later changes no digest: its
    default must be what was so before there was the field.
    """

    manifest: str
    """Digest of the set of specs."""
    exact: bool
    """Whether the closure takes the place of what is live."""
    reposdir: str
    releasever: str
    arch: str | None = None
    module_platform_id: str | None = None
    weak_dependencies: bool = False
    signatures: Signatures = "upstream"
    """Whose are checked: what was let in under another rule is looked at again."""
    withdrawn: str = "follow"
    """What becomes of a live package that upstream has no more."""
    former: tuple[str, ...] = field(default=(), compare=False)
    """Digests of the same by the rules of earlier versions."""

    @classmethod
    def of(cls, manifest: Manifest, upstream: Upstream, *, exact: bool) -> SolveKey:
        """Derive it from a manifest and a mirror's configuration.

        `max_age` is not in it: it says when upstream's metadata is read again, and not what is
        made of it.
        """
        return cls(
            manifest=manifest.digest,
            exact=exact,
            reposdir=upstream.reposdir,
            releasever=upstream.releasever,
            arch=upstream.arch,
            module_platform_id=upstream.module_platform_id,
            weak_dependencies=upstream.weak_dependencies,
            signatures=upstream.signatures,
            withdrawn=upstream.withdrawn,
            former=(_with_a_whole_section(manifest, upstream, exact=exact),),
        )

    @property
    def digest(self) -> str:
        """Tell manifests and policies apart that lead to different publications."""
        counted = {
            one.name: getattr(self, one.name)
            for one in fields(self)
            if one.name != NOT_COUNTED and getattr(self, one.name) != one.default
        }
        return sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()

    def is_among(self, digests: Collection[str]) -> bool:
        """Tell whether a mirror has noted it, now or under an earlier version."""
        return any(digest in digests for digest in (self.digest, *self.former))


def _with_a_whole_section(manifest: Manifest, upstream: Upstream, *, exact: bool) -> str:
    """Give the digest as it was made of the section `upstream`, before it was of named fields."""
    names = (
        "reposdir",
        "releasever",
        "arch",
        "module_platform_id",
        "weak_dependencies",
        "signatures",
        "max_age",
    )
    section = {name: getattr(upstream, name) for name in names}
    text = json.dumps(section, separators=(",", ":"), ensure_ascii=False)
    return sha256(f"{manifest.digest}\n{text}\n{exact}".encode()).hexdigest()
