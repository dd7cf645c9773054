"""The RPMs of a lock file: downloaded by their NEVRAs."""

from __future__ import annotations

from gm_analytics.errors import UnknownPackages, Unresolvable
from gm_analytics.mirror import history, yum
from gm_analytics.mirror.host import Host
from gm_analytics.mirror.package_manager import PackageManager


def fetch_locked(
    host: Host,
    package_manager: PackageManager,
    update_id: str,
    nevras: tuple[str, ...],
    pooled: list[str],
) -> set[str]:
    """Download packages by their NEVRAs; give those that upstream does not have."""
    gone: set[str] = set()
    if nevras and pooled:  # what they need may be in the pool, and in no live metadata
        host.put_list(update_id, history.LOCKED, pooled)
        argv = history.offer(host.target, host.tools, update_id)
        host.run(argv, "running createrepo", host.target.timeout)
    wanted = nevras
    while wanted:
        try:
            package_manager.solve(update_id, wanted, yum.download, fresh=True)
        except UnknownPackages as error:
            gone |= set(error.specs)
            wanted = tuple(nevra for nevra in wanted if nevra not in gone)
        except Unresolvable:
            if not gone:
                raise
            break  # for want of what is gone
        else:
            break
    return gone
