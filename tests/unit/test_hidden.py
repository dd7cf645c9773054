"""Secrets are found as they stand and as they are written elsewhere; other words stay."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from gm_analytics import hidden
from gm_analytics.hidden import INSTEAD, hide, redacted

SECRET = "a/b+c'd\"e\\f&1"
KEY = (
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n"
    "-----END PRIVATE KEY-----"
)


@pytest.fixture(autouse=True)
def nothing_is_known() -> Iterator[None]:
    before = dict(hidden._known)
    hidden._known.clear()
    hidden._pattern.cache_clear()
    yield
    hidden._known.clear()
    hidden._known.update(before)
    hidden._pattern.cache_clear()


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET, safe=""),
        json.dumps({"x": SECRET}),
        repr(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_secret_is_hidden_however_it_is_written(written: str) -> None:
    assert redacted(written) == written, "nobody knows it yet"
    hide(SECRET)
    assert redacted(f"before {written} after").startswith("before ")
    assert INSTEAD in redacted(written)
    assert "c'd" not in redacted(written)
    assert written not in redacted(written)


@pytest.mark.parametrize(
    ("address", "secrets"),
    [
        ("http://ana:p%40ssw0rd@proxy:3128", ["p%40ssw0rd", "p@ssw0rd", "YW5hOnBAc3N3MHJk"]),
        ("postgresql://gm@db/x?password=hunter22", ["hunter22"]),
        ("postgresql://gm:hunter22@db:port/x", ["hunter22"]),
    ],
)
def test_of_an_address_its_password_is_hidden_and_its_host_is_not(
    address: str, secrets: list[str]
) -> None:
    hide(address)
    for secret in secrets:
        assert redacted(f"found {secret} there") == f"found {INSTEAD} there"
    assert redacted("proxy db ana gm") == "proxy db ana gm"


def test_a_private_key_is_hidden_by_its_lines() -> None:
    hide(KEY)
    assert "MIIEvQIBADANBgkqhkiG9w0B" not in redacted(repr(KEY) + KEY.replace("\n", " "))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("token ghs_0123456789abcdef0123 is", f"token {INSTEAD} is"),
        ("github_pat_11ABCDEFG0abcdefghij", INSTEAD),
        ("eyJhbGciOiJSUzI1.eyJpYXQiOjE3.c2lnbmF0dXJl said", f"{INSTEAD} said"),
        (f"found {KEY} here", f"found {INSTEAD} here"),
        ("Authorization: Bearer x y", f"Authorization: {INSTEAD}"),
        ("{'Proxy-Authorization': 'Basic eA==', 'A': 'b'}",
         f"{{'Proxy-Authorization': '{INSTEAD}', 'A': 'b'}}"),
        ("[(b'authorization', b'Bearer x'), (b'host', b'h')]",
         f"[(b'authorization', b'{INSTEAD}'), (b'host', b'h')]"),
        ("sent bearer abc123def and went", f"sent bearer {INSTEAD} and went"),
        ("GET /x?access_token=abc&page=2", f"GET /x?access_token={INSTEAD}&page=2"),
        ("host=db password=abc dbname=x", f"host=db password={INSTEAD} dbname=x"),
        ("https://ana:secret@h/x", "https://…@h/x"),
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_hidden_though_nobody_told_it(text: str, left: str) -> None:
    assert redacted(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "update pr7-abc: published: 3 packages added to mirror.example.com",
        "webhook.secret: expected 16 characters",
        "reading /etc/gm_analytics/github_token: not allowed to account gm",
        "basic authentication is refused by the proxy",
        "the key SHA256:abcdef of host is not the pinned one",
    ],
)
def test_words_about_secrets_stay(text: str) -> None:
    assert redacted(text) == text


def test_a_short_word_is_not_taken_out_of_every_line() -> None:
    hide("a" * (hidden.SHORTEST - 1))
    assert redacted("b aaaaa c") == "b aaaaa c"
    hide("a" * hidden.SHORTEST)
    assert redacted("b aaaaaa c") == f"b {INSTEAD} c"


def test_it_takes_linear_time_and_knows_so_many() -> None:
    for number in range(hidden.MOST):
        hide(f"secret-{number}")
    assert len(hidden._known) == hidden.MOST
    began = time.monotonic()
    key = "-----BEGIN PRIVATE KEY-----"
    for evil in (key, "authorization:", "a_", "eyJaaaaaaaaaa.", "bearer "):
        redacted(evil * 100_000)
    assert time.monotonic() - began < 10
