"""Names that no package, path or group has: a hand-written list, and what makes more of them."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

PAYLOADS = (
    "--pipe=cd;touch PWN;:",
    "--eval=%(cd;touch PWN;:)",
    "--define=x %(cd;touch PWN)",
    "-E%(touch PWN)",
    "--load=PWN",
    "--rcfile=PWN",
    "--root=PWN",
    "--dbpath=PWN",
    "--import",
    "-K",
    "-",
    "--",
    "-rf",
    "--help",
    "--files-from=PWN",
    "--files0-from=PWN",
    "--target-directory=PWN",
    "--output=PWN",
    "--to-command=touch PWN",
    "--checkpoint-action=exec=touch PWN",
    "$(touch PWN)",
    "`touch PWN`",
    "${IFS}touch${IFS}PWN",
    ";touch PWN;",
    "|touch PWN",
    "||touch PWN",
    "&touch PWN&",
    "&&touch PWN",
    ">PWN",
    "<PWN",
    "\ntouch PWN\n",
    "\rtouch PWN\r",
    "a\ttouch PWN",
    "a\n--pipe=touch PWN",
    "'; touch PWN; '",
    '"; touch PWN; "',
    "\\",
    "\\\n",
    "\\0PWN",
    "%(touch PWN)",
    "%{lua:os.execute('touch PWN')}",
    "%{expand:%(touch PWN)}",
    "%{load:PWN}",
    "%d%s%n",
    "!touch PWN",
    "#",
    "~",
    "~root",
    "*",
    "?",
    "[a-z]",
    "{a,b}",
    "a b",
    " a",
    "a ",
    ".a",
    "..",
    "...",
    ".",
    "a:b",
    "http:",
    "@PWN",
    "a=b",
    "PATH=PWN",
    "(a)",
    "\x1b[2J",
    "\x1b]0;PWN\x07",
    "\x7f",
    "\x01",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x85",
    "\u2028",
    "\u202egpr",
    "\ufeffa",
    "\u00e9",
    "\U0001f4a9",
    "a\udcff",
    "\udc80",
    "\udcc0\udcaf",
    "a,b",
    "a'b",
    'a"b',
    "a|b",
    "a\\b",
    "a\nsigned",
    "a\nnew\tb",
    "a\npackage\tb-1-1.noarch.rpm",
    "a\t0\t1\t1\tnoarch",
    "a\n" + "b" * 20,
)
"""Without a slash, as a file's name is; how else they get there does not matter."""
SLASHED = (
    "/",
    "//",
    "/etc/passwd",
    "../../../leaf00",
    "../../outside/kept",
    "a/../../b",
    "./a",
    "a/b",
    "/proc/self/environ",
    "https://evil.example/x",
    "..\\../a",
    "a\n/etc/passwd",
    "-/PWN",
    "$(touch /tmp/PWN)",
)


def file_names() -> Iterator[str]:
    """Give hostile names of RPM files: each payload before, within and after a good name."""
    seen = set()
    for payload in PAYLOADS:
        for name in (f"{payload}.rpm", f"{payload}-1-1.noarch.rpm", f"a{payload}-1-1.noarch.rpm"):
            if len(name.encode("utf-8", "surrogateescape")) <= 255 and name != ".rpm":
                seen.add(name)
    return iter(sorted(seen))


EVERY = (*PAYLOADS, *SLASHED)
_BYTES = st.characters(min_codepoint=1, max_codepoint=0x2FFF) | st.sampled_from(
    "-.\n\t\r\x1b%/~^+_:;|&$`'\"\\ \udcff\udc80"
)
texts = st.one_of(
    st.text(_BYTES, max_size=40),
    st.builds(
        lambda before, middle, after: before + middle + after,
        st.text("abc-.", max_size=5),
        st.sampled_from(EVERY),
        st.text("abc-.1", max_size=5),
    ),
    st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._+~^-]{0,30}", fullmatch=True),
)
"""Text that may be anything, hostile and not."""
