"""Files of the pool that yum found lost or damaged, by what it says. No I/O."""

from __future__ import annotations

import re

from gm_analytics.mirror.printed import MAX_LINE
from gm_analytics.mirror.yum import POOL_ID, PREVIEW_ID
from gm_analytics.rpm.grammar import NEVRA

_OURS = re.compile(
    rf'Package "([^"]+)" from local repository "(?:{POOL_ID}|{PREVIEW_ID})" has incorrect checksum'
)


def files(output: str) -> list[str]:
    """Give the names that those files have in the pool, each once."""
    found = (_OURS.match(line[:MAX_LINE]) for line in output.split("\n"))
    packages = [match[1] for match in found if match and NEVRA.fits(match[1])]
    return list(dict.fromkeys(f"{re.sub('-[0-9]+:', '-', one, count=1)}.rpm" for one in packages))
