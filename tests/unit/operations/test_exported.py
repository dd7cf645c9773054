"""A publication as other programs read it: Hermeto, and readers of SPDX and CycloneDX."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from spdx_tools.spdx.parser.json.json_parser import parse_from_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from gm_analytics.mirror.lock import Lock, Locked
from gm_analytics.operations import cyclonedx, rpms_lock, spdx
from gm_analytics.operations.exported import FORMATS, Exported
from gm_analytics.rpm.header import Header, parse
from gm_analytics.rpm.package import Package

SUM = "0123456789abcdef" * 4
RED_HAT = Header("GPLv2+", "Red Hat, Inc.", "nmap-7.92-1.el9.src.rpm", "https://nmap.org", "Scans")
SPDX_ONE = Header("MIT AND (GPL-2.0-or-later OR BSD-3-Clause)", "Fedora Project", "", "", "A tree")


def package(name: str, version: str = "1.0", epoch: int = 0, arch: str = "x86_64") -> Package:
    file = f"{name}-{version}-1.el9.{arch}.rpm"
    wanted = ("tree",) if name == "tree" else ("nmap", "perl(JSON::XS)")
    return Package(file, name, epoch, version, "1.el9", arch, 42, SUM, "baseos", wanted)


ALL = (
    package("tree"),
    package("nmap", "7.92", 3),
    package("libstdc++", "11~rc1^git2"),
    package("glibc", arch="i686"),
    package("tzdata", arch="noarch"),
)
ENTRIES = (("herramientas «básicas»", ("tree",)), ("scanner", ("nmap",)))
EXPORTED = Exported(
    Lock(
        mirror="mirror.icesi.edu.co",
        publication=17,
        published_at="2026-11-25T12:00:00.5+00:00",
        specs=("tree", "nmap"),
        entries=ENTRIES,
        packages=tuple(Locked.of(one, ENTRIES) for one in ALL),
    ),
    "http://mirror.icesi.edu.co/repo/",
    headers={ALL[0].file: SPDX_ONE, ALL[1].file: RED_HAT, ALL[2].file: RED_HAT},
)
NOTHING = replace(EXPORTED, lock=replace(EXPORTED.lock, packages=(), published_at=""))


def test_rpms_lock_yaml_is_what_hermeto_and_konflux_read() -> None:
    """The keys of hermeto's models, all of them strict; and those that Konflux's tool adds."""
    found = yaml.safe_load(rpms_lock.text(EXPORTED))
    assert (found["lockfileVersion"], found["lockfileVendor"]) == (1, "redhat")
    [arch] = found["arches"]
    assert (arch["arch"], arch["source"], arch["module_metadata"]) == ("x86_64", [], [])
    assert len(arch["packages"]) == len(ALL)
    assert next(one for one in arch["packages"] if one["name"] == "nmap") == {
        "url": "http://mirror.icesi.edu.co/repo/nmap-7.92-1.el9.x86_64.rpm",
        "repoid": "gm-mirror",
        "size": 42,
        "checksum": f"sha256:{SUM}",
        "name": "nmap",
        "evr": "3:7.92-1.el9",
        "sourcerpm": "nmap-7.92-1.el9.src.rpm",
    }
    [plain] = [one for one in arch["packages"] if one["name"] == "tzdata"]
    assert (plain["evr"], "sourcerpm" in plain) == ("1.0-1.el9", False)


@pytest.mark.parametrize(
    ("arches", "configured", "found"),
    [
        (["noarch"], "", "noarch"),
        (["noarch"], "aarch64", "aarch64"),
        (["noarch", "i686"], "", "i686"),
        (["i686", "x86_64_v2"], "", "x86_64"),
        ([], "", "noarch"),
    ],
)
def test_the_architecture_is_the_mirror_s(arches: list[str], configured: str, found: str) -> None:
    packages = tuple(Locked.of(package("a", arch=arch), ()) for arch in arches)
    lock = replace(EXPORTED.lock, packages=packages)
    told = yaml.safe_load(rpms_lock.text(replace(EXPORTED, lock=lock, arch=configured)))
    assert [one["arch"] for one in told["arches"]] == [found]


def components(exported: Exported) -> dict[str, Any]:
    text = cyclonedx.text(exported)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    return {one["name"]: one for one in json.loads(text).get("components", [])}


def test_cyclonedx_is_valid_and_names_checksum_licence_purl_and_who_wanted_it() -> None:
    found = components(EXPORTED)
    assert len(found) == len(ALL)
    nmap = found["nmap"]
    assert nmap["hashes"] == [{"alg": "SHA-256", "content": SUM}]
    assert nmap["licenses"] == [{"license": {"name": "GPLv2+"}}]
    assert found["tree"]["licenses"] == [{"expression": SPDX_ONE.license}]
    told = {(one["name"], one["value"]) for one in nmap["properties"]}
    assert ("gm_analytics:wanted_by", "scanner") in told
    assert ("gm_analytics:spec", "perl(JSON::XS)") in told
    wanted = [one["value"] for one in found["tree"]["properties"] if "wanted" in one["name"]]
    assert wanted == ["herramientas «básicas»"]
    purl = PackageURL.from_string(nmap["purl"])
    assert (purl.type, purl.namespace, purl.name) == ("rpm", "redhat", "nmap")
    assert purl.version == "7.92-1.el9"
    assert purl.qualifiers == {
        "arch": "x86_64",
        "epoch": "3",
        "checksum": f"sha256:{SUM}",
        "upstream": "nmap-7.92-1.el9.src.rpm",
    }
    strange = PackageURL.from_string(found["libstdc++"]["purl"])
    assert (strange.name, strange.version) == ("libstdc++", "11~rc1^git2-1.el9")


def test_spdx_is_valid_and_names_checksum_licence_purl_and_who_wanted_it(tmp_path: Any) -> None:
    file = tmp_path / "publication.spdx.json"
    file.write_text(spdx.text(EXPORTED), encoding="utf-8")
    document = parse_from_file(str(file))
    assert validate_full_spdx_document(document) == []
    found = {one.name: one for one in document.packages}
    assert len(found) == len(ALL) + 1
    assert found["nmap"].checksums[0].value == SUM
    assert found["nmap"].comment == "wanted by scanner"
    assert str(found["tree"].license_declared) == SPDX_ONE.license
    [own] = document.extracted_licensing_info
    assert (str(found["nmap"].license_declared), own.extracted_text) == (own.license_id, "GPLv2+")
    assert found["nmap"].license_declared == found["libstdc++"].license_declared
    # As the JSON schema of SPDX 2.3 has it, and its library does not.
    assert file.read_text().count('"referenceCategory": "PACKAGE-MANAGER"') == len(ALL)
    [reference] = found["nmap"].external_references
    assert reference.locator.startswith("pkg:rpm/redhat/nmap@7.92-1.el9?arch=x86_64")


@pytest.mark.parametrize("write", [rpms_lock.text, cyclonedx.text, spdx.text])
def test_a_publication_of_nothing_is_one_too_and_the_same_is_said_again(write: Any) -> None:
    assert write(NOTHING)
    assert write(EXPORTED) == write(EXPORTED)


def test_the_empty_ones_are_valid(tmp_path: Any) -> None:
    assert components(NOTHING) == {}
    file = tmp_path / "empty.spdx.json"
    file.write_text(spdx.text(NOTHING), encoding="utf-8")
    assert validate_full_spdx_document(parse_from_file(str(file))) == []


def test_their_libraries_are_imported_only_where_they_are_asked_for() -> None:
    program = "import sys, gm_analytics.cli.publications as p; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"cyclonedx", "spdx_tools", "packageurl", "license_expression"} & set(loaded)
    assert set(FORMATS) == {"gm", "rpms.lock.yaml", "spdx", "cyclonedx"}


@pytest.mark.parametrize(
    "line",
    [
        "a-1-1.noarch.rpm\tMIT\tv\ts\tu",
        "a-1-1.noarch.rpm\tMIT\tv\ts\tu\tsummary\tmore",
        "a/b.rpm\tMIT\tv\ts\tu\tsummary",
        "a-1-1.noarch.rpm\tM\x1bIT\tv\ts\tu\tsummary",
        f"a-1-1.noarch.rpm\t{'M' * 2001}\tv\ts\tu\tsummary",
        "",
    ],
)
def test_what_a_header_should_not_say_is_left_out(line: str) -> None:
    good = "b-1-1.noarch.rpm\tMIT\t\t\t\tun árbol"
    assert parse(f"{line}\n{good}\n") == {"b-1-1.noarch.rpm": Header("MIT", summary="un árbol")}
