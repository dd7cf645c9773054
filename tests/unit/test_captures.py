"""docs/lab.md keeps what commands really printed: sections are filled from captures alone."""

from __future__ import annotations

import re

import pytest

from lab.box.captures import PAGE, fill
from lab.processes import LabError

SECTION = "<!-- capture: {name} -->\n{text}<!-- /capture -->"


def test_a_section_is_made_anew_and_the_rest_of_the_page_stays():
    page = f"before\n{SECTION.format(name='status', text='old')}\nafter\n"
    filled = fill(page, {"status": "$ vagrant status\nci_server  running   \n\n"})
    text = "```console\n$ vagrant status\nci_server  running\n```\n"
    assert filled == f"before\n{SECTION.format(name='status', text=text)}\nafter\n"
    assert fill(filled, {"status": "$ vagrant status\nci_server  running\n"}) == filled


def test_vagrant_up_is_shortened_to_what_happens_on_each_machine():
    printed = (
        "$ vagrant up\n"
        "==> ci_server: Rsyncing folder: /home/someone/checkout/ => /vagrant\n"
        "    ci_server: lease: eth1 has 192.168.131.104/24\n"
        "==> ci_server: Infra Phase complete, 36/42 resources updated in 30 seconds\n"
        "keys: carried ci_server.pub\n"
    )
    filled = fill(SECTION.format(name="up", text=""), {"up": printed})
    shown = [line for line in printed.splitlines() if "Rsyncing" not in line]
    assert filled.splitlines()[2:-2] == shown


def test_a_section_without_a_capture_is_refused_by_its_name():
    with pytest.raises(LabError, match="section install: no such capture; there are up"):
        fill(SECTION.format(name="install", text="old"), {"up": "$ vagrant up\n"})


def test_every_section_of_the_page_shows_a_command_and_what_it_printed():
    text = PAGE.read_text(encoding="utf-8")
    begun = text.count("<!-- capture:")
    whole = re.findall(r"<!-- capture: [\w-]+ -->\n```console\n\$ .+\n(?:.+\n)+", text)
    assert begun == len(whole) == text.count("<!-- /capture -->") > 0
