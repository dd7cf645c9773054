"""Each mirror that has a manifest of its own is told whether it is there."""

from __future__ import annotations

from typing import Any

from gm_analytics.errors import NoManifest
from gm_analytics.operations import own_manifests
from gm_analytics.settings import Settings

MIRROR = {
    "identity_file": "/dev/null",
    "known_hosts": "/dev/null",
    "url": "http://mirror.example.com/repo/",
    "upstream": {"releasever": "9"},
}
FILES = {
    ("team/packages", "el9/packages.json"): b'["tree", "nmap"]',
    ("team/packages", "bad.json"): b"[",
}


def read(repository: str, at: str, path: str) -> bytes:
    assert at == "HEAD"
    try:
        return FILES[repository, path]
    except KeyError:
        raise NoManifest(path, repository, at) from None


def said(*manifests: str | None) -> list[str]:
    mirrors: list[dict[str, Any]] = [
        {**MIRROR, "name": f"m{n}", "host": f"h{n}", **({"manifest": one} if one else {})}
        for n, one in enumerate(manifests)
    ]
    webhook = {"secret": "s" * 64, "repositories": ["team/packages"]}
    config = Settings.model_validate({"webhook": webhook, "mirrors": mirrors})
    return [f"{one.severity} {one.text}" for one in own_manifests.findings(config, read)]


def test_a_mirror_without_one_has_no_line() -> None:
    assert said(None) == []


def test_what_is_there_missing_or_wrong_is_told() -> None:
    good, missing, bad = said("el9/packages.json", "nosuch.json", "bad.json")
    assert good == "ok manifest el9/packages.json of team/packages: 2 specs for mirror m0"
    assert missing.startswith("warn manifest nosuch.json of team/packages: it is not there, so ")
    assert missing.endswith("Commit it, or correct mirrors[].manifest.")
    assert bad.startswith("fail manifest bad.json of team/packages: ")
