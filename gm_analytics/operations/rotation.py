"""`gm-analytics key --rotate` and `--retire`: another key in the place of the one that signs.

Between the two both sign, and clients may have either.
"""

from __future__ import annotations

from gm_analytics import settings
from gm_analytics.errors import SigningFailed
from gm_analytics.mirror import checking
from gm_analytics.mirror.access import Mirrors
from gm_analytics.mirror.served import REPOMD, SIGNATURE
from gm_analytics.mirror.signing import Key


def retire(config: settings.Settings, mirrors: Mirrors, key: Key) -> str:
    """Remove the older of two keys once nothing that is live needs it; give its fingerprint.

    Raises:
        SigningFailed: a mirror's live metadata is signed by the older one alone.

    """
    for mirror in config.mirrors:
        if mirror.key_home == key.home:
            _see_that_it_is_not_needed(mirrors, mirror.name, key)
    return key.retire()


def _see_that_it_is_not_needed(mirrors: Mirrors, name: str, key: Key) -> None:
    with mirrors.read(name) as session:
        root = session.host.config.root
        repomd = session.host.ssh.get(f"{root}/{REPOMD}", checking.MAX_REPOMD)
        signature = session.host.ssh.get(f"{root}/{SIGNATURE}", checking.MAX_REPOMD)
    if repomd is None:
        return  # nothing is published yet
    if key.fingerprint not in key.signers(repomd, signature or b""):
        said = (
            f"what is live on {name} is not signed by {key.fingerprint} yet: publish it first, by "
        )
        raise SigningFailed(
            str(key.home),
            "retiring the older one",
            f"{said}the next update or `gm-analytics apply`",
        )
