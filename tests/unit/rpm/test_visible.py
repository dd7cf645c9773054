"""What a package needs has to be seen by clients that read no filelists."""

from __future__ import annotations

import pytest

from gm_analytics.rpm.provenance import Capability, Relations
from gm_analytics.rpm.visible import hidden, is_in_primary


@pytest.mark.parametrize(
    ("path", "is_there"),
    [
        ("/etc/passwd", True),
        ("/usr/bin/bash", True),
        ("/opt/a/sbin/tool", True),
        ("/usr/lib/sendmail", True),
        ("/usr/lib/sendmail.d", False),
        ("/usr/libexec/tool", False),
        ("/usr/share/etc/x", False),
    ],
)
def test_primary_has_the_paths_that_createrepo_puts_there(path: str, is_there: bool) -> None:
    assert is_in_primary(path) == is_there


def test_a_path_that_only_filelists_tell_is_named_with_who_needs_it_and_who_has_it() -> None:
    needs = Relations(requires=[Capability("/usr/share/x"), Capability("/usr/bin/y")])
    has = Relations(files=["/usr/share/x"])
    said = ("needs-1-1.noarch requires /usr/share/x, a file of has-1-1.noarch",)
    assert hidden({"needs-1-1.noarch.rpm": needs, "has-1-1.noarch.rpm": has}) == said
    provides = Relations(provides=[Capability("/usr/share/x")])
    assert hidden({"needs-1-1.noarch.rpm": needs, "has-1-1.noarch.rpm": provides}) == ()
