"""The documents for operators: their commands, as they stand there, on bare roots.

    INSTALL=complete pytest tests/install

One root is both hosts and the client; it has a network of its own, with the document's names in
/etc/hosts. Stood in for: systemd (`systemctl` starts what the units say), GitHub and AlmaLinux's
mirrors (by name, over TLS, with an authority of the test's), and the lines of STOOD_IN. All else
is run as it is written.
docs/install.md is followed to a client; what it made is then kept by docs/maintenance.md and
docs/github.md.
The commands for EL 9 are not run: their names are compared with those that the cookbooks use.
"""

from __future__ import annotations

import json
import os
import pty
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

import pytest

from lab import release
from lab.deliveries import PullRequest
from lab.github import GitHub, Repository
from lab.hosts.rootfs import remove
from lab.hosts.shell import LabError
from lab.processes import run
from lab.upstream import SigningKey, Upstream

from .network import PROXY, apart

TOP = Path(__file__).parents[2]
HERE = Path(__file__).parent
DOCUMENT, MAINTENANCE, GITHUB = (
    (TOP / "docs" / name).read_text("utf-8")
    for name in ("install.md", "maintenance.md", "github.md")
)
COOKBOOKS = "".join(
    path.read_text("utf-8")
    for path in sorted((TOP / "cookbooks").rglob("*"))
    if path.suffix in {".rb", ".erb"}
)
PATIENCE = 580
"""Seconds; on a machine with nothing else to do it takes less than two minutes."""
OURS = ("mirror.example.com", "ci.example.com")
THEIRS = (
    "api.github.com", "raw.githubusercontent.com", "mirrors.almalinux.org", "repo.almalinux.org",
)  # fmt: skip
STOOD_IN = {
    # One root is both hosts, and root's login is nobody's to test.
    "ssh root@mirror.example.com sh -s < mirror-setup.sh": "sh -s < mirror-setup.sh",
    "ssh root@mirror.example.com sh -s < forget-key.sh": "sh -s < forget-key.sh",
    # Let's Encrypt reaches no such host.
    "certbot certonly --webroot --webroot-path /var/www/html --domain ci.example.com": (
        "mkdir -p /etc/letsencrypt/live/ci.example.com\n"
        "cp /install/stand-in.crt /etc/letsencrypt/live/ci.example.com/fullchain.pem\n"
        "cp /install/stand-in.key /etc/letsencrypt/live/ci.example.com/privkey.pem"
    ),
}
"""The lines that cannot be run here, and what is run in their place."""
NGINX = Template("""
ssl_certificate /install/stand-in.crt;
ssl_certificate_key /install/stand-in.key;
server {
    listen 443 ssl;
    server_name raw.githubusercontent.com;
    location / { proxy_pass http://127.0.0.1:$port/raw/; }
}
server {
    listen 443 ssl;
    server_name api.github.com;
    location / { proxy_pass http://127.0.0.1:$port/api/v3/; }
}
server {
    listen 443 ssl;
    server_name mirrors.almalinux.org;
    location /mirrorlist/9/ { return 200 "https://repo.almalinux.org/upstream/\n"; }
}
server {
    listen 443 ssl;
    server_name repo.almalinux.org;
    location /upstream/ { root /install; }
    location = /almalinux/RPM-GPG-KEY-AlmaLinux-9 { alias /install/RPM-GPG-KEY; }
}
""")


@dataclass(frozen=True)
class Block:
    """A block of commands in the document."""

    words: frozenset[str]
    """What stands behind its `sh`: of which family and which host it is."""
    text: str

    @property
    def is_debian(self) -> bool:
        return "el9" not in self.words

    @property
    def commands(self) -> str:
        """The commands, with what cannot be run replaced."""
        return "\n".join(STOOD_IN.get(line, line) for line in self.text.splitlines()) + "\n"


def blocks_of(document: str) -> list[Block]:
    found = re.findall(r"^```sh *([^\n]*)\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    return [Block(frozenset(words.split()), text) for words, text in found]


BLOCKS, LATER = blocks_of(DOCUMENT), {"maintenance": MAINTENANCE, "github": GITHUB}


def test_each_line_that_is_stood_in_for_is_in_the_document() -> None:
    blocks = [*BLOCKS, *blocks_of(MAINTENANCE)]
    lines = {line for block in blocks if block.is_debian for line in block.text.splitlines()}
    assert set(STOOD_IN) <= lines
    assert {word for block in BLOCKS for word in block.words} == {
        "debian", "el9", "mirror", "client",
    }  # fmt: skip


def test_the_names_of_el9_are_those_that_the_cookbooks_use() -> None:
    """Packages, units and paths, but for those that no cookbook has to do with."""
    text = "\n".join(block.text for block in BLOCKS if "el9" in block.words)
    packages = {
        word for line in re.findall(r"dnf install -y (.*)", text) for word in line.split()
    } - {"certbot", "epel-release"}
    assert packages == {"openssh-server", "nginx", "python3.12", "python3.12-pip"}
    for package in packages:
        assert re.search(rf"[( ]{re.escape(package)}[) ]", COOKBOOKS), package
    units = set(re.findall(r"systemctl enable --now (\S+)", text))
    assert units == {"sshd", "nginx"}
    assert all(f"'{unit}'" in COOKBOOKS for unit in units)
    assert "/usr/bin/python3.12" in COOKBOOKS


def test_accounts_and_paths_are_those_of_the_cookbooks() -> None:
    for name in ("gm_analytics_web", "/opt/gm_analytics", "/var/lib/gm_analytics_worker",
                 "gm-analytics-web.service", "gm-analytics-worker.service"):  # fmt: skip
        assert name in DOCUMENT
        assert name in COOKBOOKS


# --- from nothing to a client -------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """This version, and the same as the one that follows it."""
    place = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns(
        ".*", "build", "dist", "*.egg-info", "__pycache__", "tests", "docs", "cookbooks"
    )
    shutil.copytree(TOP, place / "checkout", ignore=ignored)
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    project = place / "checkout" / "pyproject.toml"
    text = project.read_text("utf-8")
    for version in ("1.0.0", "1.0.1"):
        project.write_text(
            text.replace('\nversion = "1.0.0"\n', f'\nversion = "{version}"\n'), "utf-8"
        )
        run([*pip, "--wheel-dir", str(place), str(project.parent)], timeout=300)
    return sorted(place.glob("*.whl"))


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHub]:
    repository = Repository(tmp_path_factory.mktemp("git") / "packages")
    repository.commit({"packages.json": "[]\n"})
    with GitHub.running(repository, "lab-token") as running:
        yield running


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    with SigningKey.make() as key:
        yield Upstream.create(tmp_path_factory.mktemp("upstream"), key=key)


@pytest.fixture
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A bare root of a release, to be spoilt."""
    try:
        built = release.build(request.param)
    except LabError as error:
        pytest.skip(f"no root of Debian {request.param} can be made here: {error}")
    root = tmp_path / "root"
    run(["cp", "-a", "--reflink=auto", str(built), str(root)], timeout=300)
    yield root
    remove(root)


def port_of(github: GitHub) -> int:
    return int(github.api_url.rsplit(":", 1)[1].partition("/")[0])


def prepare(root: Path, github: GitHub, upstream: Upstream, wheels: list[Path]) -> None:
    """Put into the root what the document takes for granted: the world around two hosts."""
    place = root / "install"
    place.mkdir()
    # `PLACE` is where `release.enter` begins.
    (root / release.PLACE).mkdir(exist_ok=True)
    for name, document in {"install": DOCUMENT, **LATER}.items():
        (place / name).mkdir()
        for number, block in enumerate(one for one in blocks_of(document) if one.is_debian):
            (place / name / f"{number:02d}").write_text(block.commands)
    with_token = re.search(r"^```yaml\n(.*?)^```$", GITHUB, re.MULTILINE | re.DOTALL)
    assert with_token
    (place / "github.yaml").write_text(with_token[1])
    for one in wheels:
        shutil.copy2(one, place)
    for name in ("systemctl", "story.sh"):
        shutil.copy2(HERE / name, place)
    shutil.copytree(upstream.root, place / "upstream")
    (place / "upstream").chmod(0o755)
    assert upstream.key
    shutil.copy2(upstream.key.public_key, place / "RPM-GPG-KEY")
    names = ",".join(f"DNS:{name}" for name in (*OURS, *THEIRS))
    made = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stand-in"]
    run(["openssl", "req", "-x509", *made, "-addext", f"subjectAltName={names}",
         "-keyout", str(place / "stand-in.key"), "-out", str(place / "stand-in.crt")])  # fmt: skip
    (place / "hosts").write_text(f"127.0.0.1 {' '.join((*OURS, *THEIRS))}\n")
    (place / "stand-in.conf").write_text(NGINX.substitute(port=port_of(github)))
    proxy = f"http://127.0.0.1:{PROXY}"
    (root / "etc/apt/apt.conf.d/99proxy").write_text(
        f'Acquire::http::Proxy "{proxy}"; Acquire::http::Pipeline-Depth "0";\n'
    )
    (place / "proxy").write_text(proxy)
    manifest = re.search(r"^```json\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert manifest
    sha = github.repository.commit({"packages.json": manifest[1]}, "change")
    payload = PullRequest(sha, github.repository.name, head_ref="change").payload()
    (place / "delivery.json").write_text(json.dumps(payload))


def perform(root: Path, answers: bytes, network: int, script: str = "story.sh") -> tuple[int, str]:
    """Run a script in the root, on a terminal where a person gives the answers.

    `network` is a process whose network the root has.
    """
    main, side = pty.openpty()
    os.write(main, answers)
    code = (
        "import sys; from pathlib import Path; from lab import release; "
        "sys.exit(release.enter(Path(sys.argv[1]), ['sh', sys.argv[2]], stdin=0))"
    )
    python = (sys.executable, "-c", code)
    try:
        done = subprocess.run(
            ["nsenter", f"--net=/proc/{network}/ns/net", *python, str(root), f"/install/{script}"],
            cwd=TOP,
            stdin=side,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=PATIENCE,
        )
    finally:
        os.close(main)
        os.close(side)
    return done.returncode, done.stdout


complete = pytest.mark.skipif(
    os.environ.get("INSTALL") != "complete", reason="INSTALL=complete, as `make install-check`"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@complete
@needs_root
@pytest.mark.parametrize("bare", release.SUITES[-1:], indirect=True)
def test_the_mirror_s_script_where_dnf_is(bare: Path, tmp_path: Path) -> None:
    """What it does on EL and not on Debian, by stubs: EL's programs are not to be had here."""
    program = str(Path(sys.executable).parent / "gm-analytics")
    me = pwd.getpwuid(os.geteuid()).pw_name
    answers = ["--repository", "team/packages", "--mirror", "mirror.example.com", "--no-host-key"]
    where = ["--directory", str(tmp_path / "etc"), "--state", str(tmp_path), "--account", me]
    run([program, "init", *answers, *where])
    config = str(tmp_path / "etc" / "config.yaml")
    (bare / "install").mkdir()
    (bare / release.PLACE).mkdir(exist_ok=True)
    script = run([program, "mirror-setup", "--config", config]).stdout
    (bare / "install" / "mirror-setup.sh").write_text(script)
    shutil.copy2(HERE / "el.sh", bare / "install")
    with apart() as network:
        code, said = perform(bare, b"", network, "el.sh")
    assert code == 0, said
    first, _, rest = said.partition("== again\n")
    again, _, made = rest.partition("== made\n")
    packages = "createrepo_c dnf nginx openssh-server rpm util-linux"
    assert f"dnf -q -y install {packages}" in first
    assert "firewall-cmd --quiet --permanent --add-service=http" in first
    assert "made /etc/nginx/conf.d/gm-mirror.conf" in first
    assert ": made" not in again
    assert made.count("Match User mirror\n") == 1
    assert "/var/repo mirror 755\n/etc/gm-mirror/authorized_keys root 644\n" in made


@complete
@needs_root
@pytest.mark.parametrize("bare", release.SUITES, indirect=True)
def test_from_nothing_to_a_client_and_on_from_there(
    bare: Path, github: GitHub, upstream: Upstream, wheels: list[Path]
) -> None:
    prepare(bare, github, upstream, wheels)
    with apart(port_of(github)) as network:
        code, said = perform(bare, b"y\ny\n", network)
    logs = "".join(
        f"-- {path.name}\n{path.read_text(errors='replace')[-4000:]}"
        for path in sorted((bare / "var/log/stand-in").glob("*"))
    )
    assert code == 0, f"{said[-12000:]}\n{logs}"
    assert re.search(r"^tree-[0-9.]+-", said, re.MULTILINE)
    assert "FAIL" not in said
    release_name = re.search("^VERSION=(.*)$", (bare / "etc/os-release").read_text(), re.MULTILINE)
    assert release_name
    took = re.search(r"^the client has it after (\d+ s)$", said, re.MULTILINE)
    assert took
    print(f"\nDebian {release_name[1]}: {took[1]} from nothing to a client")  # noqa: T201
