"""The package groups that a mirror and its upstream name, read from the mirror's host."""

from __future__ import annotations

import base64

from gm_analytics.errors import Malformed
from gm_analytics.mirror import yum
from gm_analytics.mirror.host import SHORT, Host
from gm_analytics.mirror.survey import REFUSED
from gm_analytics.rpm import comps, grammar


def read_groups(host: Host, live: str, update_id: str) -> list[bytes]:
    """Read the groups files: the publication's, the reviewed preview's, then upstream's.

    Raises:
        BadPackages: there are too many, or one has another name than it should have.

    """
    argv = yum.comps(host.target, host.tools, live, update_id)
    doing = "reading the groups of upstream"
    result = host.ssh.run(argv, doing, SHORT)
    if result.exited == REFUSED:
        raise host.refused(result, grammar.HREF)
    encoded = host.check(result, argv, doing).split()
    with host.packages_of_upstream():
        if len(encoded) > comps.MAX_DOCUMENTS:
            found = f"{len(encoded):,}"
            raise Malformed(f"at most {comps.MAX_DOCUMENTS} comps.xml files", found)
        return [base64.b64decode(text) for text in encoded]
