"""A mirror's host as administrators leave it: each row is a quirk, and what becomes of an update.

`docs/operations.md` has the same table. All rows are of one host, with sshd, dnf and createrepo_c;
each is undone before the next one.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gm_analytics import settings
from gm_analytics.errors import GmError
from gm_analytics.manifest import Manifest
from gm_analytics.service import Service
from gm_analytics.updates.model import Outcome
from lab.packages import LEAF_NAMES, Package
from lab.site import Site
from tests.integration.conftest import at_once, manifest, needs_root
from tests.integration.test_hosts import upstream_of

pytestmark = needs_root

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"
HOSTILE = "/nowhere/at/all"


@dataclass
class Host:
    """The mirror's host, and what can be strange about it for the time of a block."""

    site: Site
    leaves: Iterator[str] = field(default_factory=lambda: iter(LEAF_NAMES))
    published: list[str] = field(default_factory=list)

    def login(
        self, start_file: str = "", shell: str = "/bin/bash", name: str = ".bashrc", **more: str
    ) -> AbstractContextManager[None]:
        """Have the account's shell read a start file, beside other files of its home."""
        files = {name: start_file} if start_file else {}
        return self.site.mirror.host.logging_in(shell, {**files, **more})

    def home(self, files: Mapping[str, str]) -> AbstractContextManager[None]:
        return self.site.mirror.host.logging_in("/bin/sh", files)

    def sshd(self, *lines: str) -> AbstractContextManager[None]:
        """Have sshd be set so: of two values the first one counts there."""
        first = "# sshd of the lab"
        return self.site.mirror.host.saying("sshd_config", (first, "\n".join((*lines, first))))

    def repo(self, text: str = "", **changed: str) -> AbstractContextManager[None]:
        """Have upstream's repository file say something else, and more."""
        return upstream_of(self.site, text, **changed)

    @contextmanager
    def dnf_conf(self, **options: str) -> Iterator[None]:
        """Have the host's dnf.conf say something else."""
        path = self.site.mirror.host.dnf_conf
        known = path.read_text()
        lines = [line for line in known.splitlines() if line.partition("=")[0] not in options]
        path.write_text("\n".join([*lines, *(f"{k}={v}" for k, v in options.items()), ""]))
        try:
            yield
        finally:
            path.write_text(known)

    @contextmanager
    def beside(self, name: str, text: str, mode: int = 0o644) -> Iterator[None]:
        """Have another file beside upstream's repository file."""
        path = self.site.mirror.host.reposdir / name
        path.write_text(text)
        path.chmod(mode)
        try:
            yield
        finally:
            path.unlink()

    @contextmanager
    def as_text(self, change: Callable[[str], str]) -> Iterator[None]:
        """Have the text of upstream's repository file changed."""
        path = self.site.mirror.host.reposdir / "upstream.repo"
        known = path.read_text()
        path.write_bytes(change(known).encode())
        try:
            yield
        finally:
            path.write_text(known)

    @contextmanager
    def variables(self, files: Mapping[str, str]) -> Iterator[None]:
        """Have files in /etc/dnf/vars, some that nobody reads among them."""
        place = self.site.mirror.host.variables
        (place / "folder").mkdir()
        (place / "secret").touch(0o600)
        for name, text in files.items():
            (place / name).write_text(text)
        try:
            yield
        finally:
            shutil.rmtree(place / "folder")
            for name in ("secret", *files):
                (place / name).unlink()

    @contextmanager
    def served(self, name: str, text: str) -> Iterator[str]:
        """Have upstream serve a file beside its metadata; give its address."""
        path = self.site.upstream.root / "repodata" / name
        path.write_text(text)
        try:
            yield f"{self.address}repodata/{name}"
        finally:
            path.unlink()

    @property
    def address(self) -> str:
        return self.site.upstream_web.url

    @contextmanager
    def programs(self, without: str, **links: str) -> Iterator[None]:
        """Have a PATH of all programs but one, and of others by other names."""
        place = self.site.directory / "programs"
        place.mkdir()
        for directory in ("/usr/sbin", "/usr/bin"):
            for program in Path(directory).iterdir():
                if program.name != without and not (place / program.name).is_symlink():
                    (place / program.name).symlink_to(program)
        for name, target in links.items():
            (place / name).symlink_to(target)
        try:
            with self.login(f"export PATH={place}\n"):
                yield
        finally:
            shutil.rmtree(place)

    def age(self) -> None:
        """Have all that yum has cached be older than any `max_age`."""
        long_ago = time.time() - 10_000
        for path in (self.site.mirror.host.root / ".cache").rglob("*"):
            os.utime(path, (long_ago, long_ago), follow_symlinks=False)

    def apply(self, *names: str) -> Outcome | GmError:
        config = settings.Settings.model_validate(self.site.settings())
        wanted = Manifest.parse(manifest(*names).encode())
        try:
            return Service(config).operations.apply(wanted, self.site.mirror.name, at_once())
        except GmError as error:
            return error


@dataclass(frozen=True)
class Quirk:
    """What is strange, and what an update comes to: `refused` are words of the error."""

    what: str
    verdict: str
    made: Callable[[Host], AbstractContextManager[object]]
    refused: str = ""
    hint: str = ""
    names: tuple[str, ...] = ()
    """What is asked for; by default a package that nobody asked for before."""


# --- how they are made ------------------------------------------------------------------------

ENVIRONMENT = """
export LANG=es_CO.UTF-8 LANGUAGE=es_CO:es LC_ALL=es_CO.UTF-8 TZ=America/Bogota
export LD_PRELOAD=/nowhere.so LD_LIBRARY_PATH=/nowhere PYTHONPATH=/nowhere PYTHONHOME=/nowhere
export RPM_CONFIGDIR=/nowhere SOURCE_DATE_EPOCH=0 POSIXLY_CORRECT=1 GREP_OPTIONS=-v CDPATH=/:/usr
export XDG_CONFIG_HOME=/nowhere XDG_CACHE_HOME=/nowhere DNF_VAR_stream=nonsense
"""
SHELL_SETTINGS = """
set -o noclobber; set -o noglob; export SHELLOPTS; shopt -s expand_aliases
alias rm='rm -i' cp='cp -i' mv='mv -i' ls='ls --color=always' grep='grep --color=always'
rm() { return 1; }; printf() { echo no; }; export -f rm printf
"""
PRINTS = r"""
printf '\033[H\033[2J'; cat <<END
***************************************
*  Authorised use only.  Monitored.   *
***************************************
END
echo 'disk usage: 81%' >&2
"""
MACROS = """%_dbpath /nowhere
%_tmppath /nowhere
%_pkgverify_level all
%_pkgverify_flags 0x0
%_query_all_fmt nothing
%__gpg /nowhere
"""
PLUGIN = """import dnf
print("a plugin was here")
raise RuntimeError("a broken plugin")
"""


@contextmanager
def user_site(host: Host) -> Iterator[None]:
    """What `pip install --user` leaves in a home, broken."""
    version = subprocess.run(
        ["/usr/bin/python3", "-c", "import site; print(site.USER_SITE.rpartition('lib/')[2])"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    broken = "raise SystemExit('broken: ' + __file__)\n"
    place = f".local/lib/{version}"
    with host.home({f"{place}/usercustomize.py": broken, f"{place}/libdnf.py": broken}):
        yield


@contextmanager
def closed_home(host: Host) -> Iterator[None]:
    home = host.site.mirror.host.home
    home.chmod(0)
    os.chown(home, 0, 0)
    try:
        yield
    finally:
        home.chmod(0o755)
        host.site.mirror.host.owned_by_account(home)


@contextmanager
def home_with_blanks(host: Host) -> Iterator[None]:
    place = host.site.mirror.host.home / "a b"
    place.mkdir()
    place.chmod(0o777)
    with host.login(f"export HOME='{place}' TMPDIR='{place}'\n"):
        yield
    shutil.rmtree(place)


@contextmanager
def plugins(host: Host) -> Iterator[None]:
    place = host.site.directory / "plugins"
    place.mkdir()
    (place / "broken.py").write_text(PLUGIN)
    (place / "broken.conf").write_text("[main]\nenabled=1\n")
    with host.dnf_conf(plugins="1", pluginpath=str(place), pluginconfpath=str(place)):
        yield


@contextmanager
def metalink(host: Host) -> Iterator[None]:
    """One whose first mirror is dead."""
    repomd = (host.site.upstream.root / "repodata" / "repomd.xml").read_bytes()
    stamp = max(map(int, re.findall(rb"<timestamp>(\d+)", repomd)))
    urls = "".join(
        f'<url protocol="http" type="http" location="US" preference="{number}">'
        f"{address}repodata/repomd.xml</url>"
        for number, address in ((100, "http://127.0.0.1:1/"), (90, host.address))
    )
    text = (
        '<?xml version="1.0" encoding="utf-8"?>\n<metalink version="3.0" '
        'xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager">'
        f'<files><file name="repomd.xml"><mm0:timestamp>{stamp}</mm0:timestamp>'
        f"<size>{len(repomd)}</size><verification>"
        f'<hash type="sha256">{hashlib.sha256(repomd).hexdigest()}</hash></verification>'
        f'<resources maxconnections="1">{urls}</resources></file></files></metalink>\n'
    )
    with (
        host.served("metalink.xml", text) as address,
        host.as_text(lambda known: re.sub("baseurl=.*", f"metalink={address}", known)),
    ):
        yield


@contextmanager
def mirrorlist(host: Host) -> Iterator[None]:
    text = f"# a comment\nhttp://127.0.0.1:1/\n{host.address}\n"
    with (
        host.served("mirrors.txt", text) as address,
        host.as_text(lambda known: re.sub("baseurl=.*", f"mirrorlist={address}", known)),
        host.dnf_conf(fastestmirror="1", max_parallel_downloads="20", deltarpm="1"),
    ):
        yield


@contextmanager
def newer(host: Host, **of_repo: str) -> Iterator[None]:
    """Upstream gets a newer version of a package that is live, which has to be noticed."""
    name = f"newer-{len(host.published)}"
    host.site.upstream.add(Package(name))
    with host.repo(**of_repo):
        assert isinstance(host.apply(name), Outcome)
        host.site.upstream.add(Package(name, version="2.0"))
        host.age()
        found = host.apply(name)
        assert isinstance(found, Outcome), found
        assert found.added == (f"{name}-2.0-1.el9.x86_64",), found
        yield


@contextmanager
def strange_files(host: Host) -> Iterator[None]:
    """What an own file system has, what a person left, and what a clock that ran ahead made."""
    root = host.site.mirror.host.root
    closed = root / "lost+found"
    closed.mkdir(mode=0o700)
    (root / "index.html").write_text("hello")
    (root / "gone.rpm").symlink_to("nowhere")
    (root / "a folder").mkdir()
    for path in root.glob("leaf*.rpm"):
        os.utime(path, (4_000_000_000, 4_000_000_000))
    try:
        yield
    finally:
        closed.rmdir()
        (root / "index.html").unlink()
        (root / "gone.rpm").unlink()
        (root / "a folder").rmdir()


@contextmanager
def ssh_rc(host: Host) -> Iterator[None]:
    banner = host.site.directory / "banner"
    banner.write_text("Authorised use only.\n" * 5)
    lines = (f"Banner {banner}", "PrintMotd yes", "PrintLastLog yes", "PermitUserRC yes",
             "PermitUserEnvironment yes")  # fmt: skip
    files = {".ssh/rc": "echo from rc\n", ".ssh/environment": "LD_PRELOAD=/nowhere.so\nLANG=es\n"}
    key = Path(host.site.mirror.host.identity_file).with_suffix(".pub").read_text()
    authorized = host.site.mirror.host.directory / "etc" / "authorized_keys"
    known = authorized.read_text()
    authorized.write_text(key)  # `restrict` would keep rc from being read
    try:
        with host.home(files), host.sshd(*lines):
            yield
    finally:
        authorized.write_text(known)


CRLF = "as a Windows editor leaves it, with carriage returns"
DEAD = "[second]\nname=x\nbaseurl=http://127.0.0.1:1/\ngpgcheck=0\nretries=1\ntimeout=5\n"
HARDENED = (
    "Ciphers aes256-gcm@openssh.com,aes256-ctr", "MACs hmac-sha2-512-etm@openssh.com",
    "KexAlgorithms curve25519-sha256,diffie-hellman-group16-sha512", "RekeyLimit 1M 10s",
    "PermitTTY no", "DisableForwarding yes", "MaxSessions 3", "ClientAliveInterval 5",
    "Compression no", "LoginGraceTime 20",
)  # fmt: skip
OTHERS = {
    "installonly_limit": "2", "protected_packages": "leaf00 tree", "best": "0", "keepcache": "0",
    "install_weak_deps": "1", "clean_requirements_on_remove": "0", "metadata_timer_sync": "1",
    "tsflags": "nodocs,noscripts,test", "multilib_policy": "all", "history_record": "0",
    "check_config_file_age": "0", "countme": "1", "zchunk": "0", "minrate": "1k",
    "module_platform_id": "platform:nonsense9", "ip_resolve": "4", "obsoletes": "1",
}  # fmt: skip
PLACES = {
    "cachedir": HOSTILE, "logdir": HOSTILE, "persistdir": HOSTILE, "reposdir": HOSTILE,
    "installroot": HOSTILE, "releasever": "8",
}  # fmt: skip


QUIRKS = (
    # The account and its shell.
    Quirk(
        "`umask 077` in a start file",
        "works; modes are set, not inherited",
        lambda host: host.login("umask 077\n"),
    ),
    Quirk(
        "`LANGUAGE`, `LC_ALL`, `TZ`, `LD_PRELOAD`, `PYTHONPATH`, `PYTHONHOME`, `RPM_CONFIGDIR`, "
        "`SOURCE_DATE_EPOCH`, `POSIXLY_CORRECT`, `XDG_*`, `DNF_VAR_*` in its environment",
        "works; commands get a named list of variables",
        lambda host: host.login(ENVIRONMENT),
    ),
    Quirk(
        "aliases, functions, `noclobber`, `noglob` and `SHELLOPTS` in a start file",
        "works; the shell that runs commands takes none of them",
        lambda host: host.login(SHELL_SETTINGS),
    ),
    Quirk(
        "a start file that clears the screen and prints a block",
        "works; it is skipped, and told once",
        lambda host: host.login(PRINTS),
    ),
    Quirk(
        "`csh` or `tcsh` as its shell, with a `.cshrc` that prints",
        "works",
        lambda host: host.login("echo hi\nset noglob noclobber\n", "/usr/bin/tcsh", ".cshrc"),
    ),
    Quirk(
        "`fish` as its shell",
        "works",
        lambda host: host.login("echo hi\n", "/usr/bin/fish", ".config/fish/config.fish"),
    ),
    Quirk(
        "`zsh` as its shell, with `extended_glob` and `nomatch`",
        "works",
        lambda host: host.login("echo hi; setopt extended_glob\n", "/usr/bin/zsh", ".zshenv"),
    ),
    Quirk(
        "`/usr/sbin/nologin` as its shell",
        "refused: the login ran no command; it says what was printed",
        lambda host: host.login("", "/usr/sbin/nologin"),
        refused="the login ran no command: .*currently not available",
        hint="chsh -s /bin/sh",
    ),
    Quirk(
        "a home that it cannot read or enter",
        "works; nothing there is needed",
        closed_home,
    ),
    Quirk("blanks in `HOME` and `TMPDIR`", "works", home_with_blanks),
    Quirk(
        "a `TMPDIR` that is not there",
        "works; `/tmp` is used",
        lambda host: host.login(f"export TMPDIR={HOSTILE}\n"),
    ),
    Quirk(
        "an `.rpmmacros` with other paths and checks",
        "works; it does not count",
        lambda host: host.home({".rpmmacros": MACROS, ".config/rpm/macros": MACROS}),
    ),
    Quirk(
        "broken modules of `pip install --user` in its home",
        "works; they do not count",
        user_site,
    ),
    Quirk(
        "64 open files at most (`ulimit -n`), no core files",
        "works",
        lambda host: host.login("ulimit -n 64; ulimit -c 0\n"),
    ),
    Quirk(
        "files of at most 8 KiB (`ulimit -f`)",
        "refused: the command that failed, and its words",
        lambda host: host.login("ulimit -f 8\n"),
        refused="exit code|File too large|file size",
    ),
    # sshd.
    Quirk(
        "`Banner`, `PrintMotd`, an `~/.ssh/rc` that prints, `LD_PRELOAD` in `~/.ssh/environment`",
        "works; what is printed is skipped",
        ssh_rc,
    ),
    Quirk(
        "a hardened sshd: few ciphers, `RekeyLimit 1M`, `PermitTTY no`, `DisableForwarding`, "
        "`MaxSessions 3`",
        "works",
        lambda host: host.sshd(*HARDENED),
    ),
    Quirk(
        "`ForceCommand` that runs `$SSH_ORIGINAL_COMMAND`",
        "works",
        lambda host: host.sshd('ForceCommand /bin/sh -c "$SSH_ORIGINAL_COMMAND"'),
    ),
    Quirk(
        "`ForceCommand` that runs something else",
        "refused: the login ran no command; it says what was printed",
        lambda host: host.sshd("ForceCommand echo only backups here"),
        refused="the login ran no command: .*only backups here",
    ),
    Quirk(
        "`ForceCommand internal-sftp`",
        "refused: the login ran no command",
        lambda host: host.sshd("ForceCommand internal-sftp"),
        refused="the login ran no command",
    ),
    # dnf.conf.
    Quirk(
        "`color=always`, `debuglevel=0`, `errorlevel=0` in dnf.conf",
        "works; what is read of dnf's output is set for each run",
        lambda host: host.dnf_conf(color="always", debuglevel="0", errorlevel="0"),
    ),
    Quirk(
        "`debuglevel=10`, `assumeyes=1`, `defaultyes=1` in dnf.conf",
        "works; `plan` changes nothing all the same",
        lambda host: host.dnf_conf(debuglevel="10", assumeyes="1", defaultyes="1"),
    ),
    Quirk(
        "`strict=0` or `skip_broken=1` in dnf.conf",
        "refused, what cannot be installed: nothing is left out",
        lambda host: host.dnf_conf(strict="0", skip_broken="1"),
        refused="nothing provides",
        names=("leaf00", "broken"),
    ),
    Quirk(
        "`best=0`, `keepcache=0`, `install_weak_deps=1`, `installonly_limit`, "
        "`protected_packages`, `tsflags`, `multilib_policy`, `module_platform_id`, `zchunk`, … in "
        "dnf.conf",
        "works; what decides is set for each run",
        lambda host: host.dnf_conf(**OTHERS),
    ),
    Quirk(
        "`cachedir`, `logdir`, `persistdir`, `reposdir`, `installroot`, `releasever` in dnf.conf",
        "works; each run has its own",
        lambda host: host.dnf_conf(**PLACES),
    ),
    Quirk(
        "`repo_gpgcheck=1` and `localpkg_gpgcheck=1` for all in dnf.conf, as hardening guides say",
        "works, where upstream signs its metadata or its file says `repo_gpgcheck=0`",
        lambda host: _both(
            host.dnf_conf(repo_gpgcheck="1", localpkg_gpgcheck="1"), host.repo(repo_gpgcheck="0")
        ),
    ),
    Quirk(
        "plugins that print, or are broken",
        "works; none is loaded",
        plugins,
    ),
    Quirk(
        "`fastestmirror=1`, and a mirror list with comments and a dead mirror",
        "works",
        mirrorlist,
    ),
    Quirk(
        "`exclude=` of something that is wanted",
        "refused: excluded, with the place in the manifest",
        lambda host: host.dnf_conf(exclude="tracer, tree*"),
        refused=r"tree at /0 \(entry 1\): excluded: upstream has it",
        hint="change `exclude`",
        names=("tree",),
    ),
    Quirk(
        "`exclude=` of something else",
        "works",
        lambda host: host.dnf_conf(exclude="*.i686 kernel*"),
    ),
    Quirk(
        "`includepkgs=` in a repository file, without what is wanted",
        "refused: excluded, with the place in the manifest",
        lambda host: host.repo(includepkgs="leaf00"),
        refused=r"tree at /0 \(entry 1\): excluded: upstream has it",
        names=("tree",),
    ),
    Quirk(
        "a `proxy` that is not there in dnf.conf, `proxy=_none_` in the repository file",
        "works",
        lambda host: _both(host.dnf_conf(proxy="http://127.0.0.1:1"), host.repo(proxy="_none_")),
    ),
    Quirk(
        "`https_proxy` and `http_proxy` in its environment, with nobody there",
        "refused: the proxy, or its connection, is named",
        lambda host: _both(
            host.login("export http_proxy=http://127.0.0.1:1 https_proxy=http://127.0.0.1:1\n"),
            host.repo(retries="1", timeout="5"),
        ),
        refused="127.0.0.1 port 1|proxy",
    ),
    Quirk(
        "unknown and misspelt options in dnf.conf and in a repository file",
        "works; dnf warns, and the log has it",
        lambda host: _both(
            host.dnf_conf(nonsense="1", kepcache="1"), host.repo(nonsense="1", type="rpm-md")
        ),
    ),
    # Repository files.
    Quirk(
        "blanks, quotes and other alphabets in a repository's `name`",
        "works",
        lambda host: host.repo(name="Upstream  of 'the' \"lab\" (ä, 100 %, ☃) $releasever"),
    ),
    Quirk(
        "blanks around `=`, comments and empty lines",
        "works",
        lambda host: host.as_text(
            lambda known: (
                "# a comment\n; another\n\n"
                + re.sub("baseurl=", "baseurl = ", known).replace("enabled=1", "enabled = yes")
            )
        ),
    ),
    Quirk(
        "a name and a password in `baseurl`",
        "works; neither is shown in messages and logs",
        lambda host: host.repo(baseurl=host.address.replace("//", "//ann:p%40ss@")),
    ),
    Quirk(
        "the same, where upstream answers 404",
        "refused: the status, without the password",
        lambda host: host.repo(
            baseurl=host.address.replace("//", "//ann:p%40ss@") + "nowhere/", retries="1"
        ),
        refused=r"Status code: 404 for http://…@127",
        hint="releasever",
    ),
    Quirk("a metalink whose first mirror is dead", "works", metalink),
    Quirk(
        "`skip_if_unavailable=1` in the file of a repository that is away",
        "refused, and waited for: nothing is solved by half",
        lambda host: host.beside("second.repo", DEAD + "skip_if_unavailable=1\n"),
        refused="Failed to download metadata for repo 'second'",
    ),
    Quirk(
        "a repository that is away and has `enabled=0`",
        "works",
        lambda host: host.beside("second.repo", DEAD + "enabled=0\n"),
    ),
    Quirk(
        "a repository file that the account cannot read",
        "refused: the file is named, nothing is made of the others alone",
        lambda host: host.beside("second.repo", DEAD, mode=0o600),
        refused=r"mirror cannot read \S+/second\.repo, so yum passes over it",
        hint="that the account can read",
    ),
    Quirk(
        "a repository file that is none",
        "refused: the file is named, nothing is made of the others alone",
        lambda host: host.beside("second.repo", "enabled=1\nhello\n"),
        refused=r"failed loading '\S+/second\.repo'",
    ),
    Quirk(
        "a repository whose id has a blank",
        "refused: the id is named, nothing is made of the others alone",
        lambda host: host.beside("second.repo", DEAD.replace("[second]", "[my second]")),
        refused="Bad id for repo: my second",
    ),
    Quirk(
        "one repository in two files",
        "works; dnf takes the first",
        lambda host: host.beside(
            "upstream-copy.repo", f"[upstream]\nname=x\nbaseurl={host.address}\n"
        ),
    ),
    Quirk(
        "files beside the repository files (`.rpmsave`, `.repo.bak`, a README)",
        "works",
        lambda host: host.beside("second.repo.rpmsave", DEAD),
    ),
    Quirk(
        "`gpgcheck=1` without a `gpgkey`",
        "refused: both are named",
        lambda host: host.repo(gpgcheck="1"),
        refused="gpgcheck=1, and no gpgkey in its file",
    ),
    Quirk(
        "`metadata_expire=never` in a repository file",
        "works; `upstream.max_age` decides",
        lambda host: newer(host, metadata_expire="never"),
    ),
    Quirk(
        "`priority=1` in a repository file",
        "works; what the pool has is downloaded again",
        lambda host: newer(host, priority="1"),
    ),
    Quirk(
        "`priority=200` in a repository file",
        "works; the pool is wanted no more than that, and hides nothing that is newer",
        lambda host: newer(host, priority="200"),
    ),
    # Variables.
    Quirk(
        "`$stream`, `$contentdir` and others in /etc/dnf/vars, beside empty, unreadable and oddly "
        "named files, and a folder",
        "works",
        lambda host: _both(
            host.variables(
                {"stream": "upstream\n", "empty": "", "a b": "x\n", "UPPER-x.y": "x\n"}
            ),
            host.repo(baseurl=host.address.replace("/upstream/", "/$stream/")),
        ),
    ),
    Quirk(
        "a variable that has no value there",
        "refused: the address with the variable's name",
        lambda host: host.repo(
            baseurl=host.address.replace("/upstream/", "/$nosuchvar/"), retries="1"
        ),
        refused=r"/\$nosuchvar/",
        hint="/etc/dnf/vars",
    ),
    # Programs and disk.
    Quirk(
        "`createrepo` in place of `createrepo_c`",
        "works, without previews",
        lambda host: host.programs("createrepo_c", createrepo="/usr/bin/createrepo_c"),
    ),
    Quirk(
        "neither of the two",
        "refused: `not installed: createrepo_c or createrepo`",
        lambda host: host.programs("createrepo_c"),
        refused="not installed: createrepo_c or createrepo",
        hint="Install it",
    ),
    Quirk(
        "`yum` as a link to dnf, and no `dnf`",
        "works",
        lambda host: host.programs("dnf", yum="/usr/bin/dnf-3"),
    ),
    Quirk(
        "no `flock`",
        "refused: it is named",
        lambda host: host.programs("flock"),
        refused="flock",
    ),
    Quirk(
        "`lost+found`, web pages, dangling links, and files from the future in the root",
        "works; they stay",
        strange_files,
    ),
)


@contextmanager
def _both(*contexts: AbstractContextManager[object]) -> Iterator[None]:
    with ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context)
        yield


# --- the walk -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def host(site: Site) -> Host:
    found = Host(site)
    assert isinstance(found.apply(next(found.leaves)), Outcome), "so that there is a pool"
    return found


def shell_of(quirk: Quirk) -> str:
    """Give the shell that it needs, which the machine may lack."""
    return next((name for name in ("tcsh", "fish", "zsh") if f"`{name}` as" in quirk.what), "sh")


@pytest.mark.parametrize("quirk", QUIRKS, ids=lambda quirk: quirk.what[:60])
def test_a_host_s_quirk_has_its_verdict(host: Host, quirk: Quirk) -> None:
    if not shutil.which(shell_of(quirk)):
        pytest.skip(f"{shell_of(quirk)} is not installed")
    with quirk.made(host):
        names = quirk.names or (next(host.leaves),)
        found = host.apply(*names)
    if quirk.refused:
        assert quirk.verdict.startswith("refused")
        assert isinstance(found, GmError), found
        assert re.search(quirk.refused, str(found)), str(found)
        assert quirk.hint in found.hint, found.hint
        assert "127.0.0.1" not in found.public, "nothing of the inside is public"
    else:
        assert isinstance(found, Outcome), f"{found}; hint: {found.hint}"
        assert quirk.verdict.startswith("works")
        assert found.state == "published"
        assert all("not signed" in warning for warning in found.warnings), found.warnings
        assert {nevra.partition("-1.0-")[0] for nevra in found.added} >= set(names)
        host.published.extend(names)
    assert list((host.site.mirror.host.root / ".staging").iterdir()) == []


def test_a_client_installs_all_that_was_published(host: Host) -> None:
    host.site.client().install(*host.published)


def test_the_document_has_the_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = "".join(f"| {quirk.what} | {quirk.verdict} |\n" for quirk in QUIRKS)
    assert f"| the host has | an update |\n| --- | --- |\n{rows}" in text
