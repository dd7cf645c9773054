"""`python -m lab.root_helper`: put what the root helper shares with the package into it.

A cookbook is whole in itself, and root on a mirror host must read no file that its account can
write. So the marked section of the helper is written when either is changed, and a test tells if
that was forgotten.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from gm_analytics.mirror.yum import repo_file
from gm_analytics.remote.commands import shell
from gm_analytics.rpm.grammar import ABSOLUTE_PATH, SPEC, UPDATE_ID, WORD
from lab.hosts.shell import CHECKOUT

HELPER = CHECKOUT / "cookbooks" / "mirror_server" / "files" / "gm-mirror-helper"
_FORMS = {"PATH": ABSOLUTE_PATH, "WORD": WORD, "ID": UPDATE_ID, "SPEC": SPEC}
_SECTION = re.compile(
    r"(?P<begin># --- from gm_analytics[^\n]*\n).*?(?P<end># --- end ---\n)", re.DOTALL
)


def written(helper: str) -> str:
    """Give the text of the helper with its section as the package has it now."""
    section = "".join(f"{line}\n" for line in _shared())
    return _SECTION.sub(lambda found: found["begin"] + section + found["end"], helper, count=1)


def _shared() -> Iterator[str]:
    for name, form in _FORMS.items():
        yield f"# {form.what[0].upper()}{form.what[1:]}."
        yield f"{name}_FORM={shlex.quote(form.ere)}"
        yield f"{name}_LONGEST={form.longest}"
    yield "# mirror/scripts/empty-root.sh"
    yield f"EMPTY_ROOT={shlex.quote(shell('mirror', 'empty-root'))}"
    yield "# remote/scripts/becomes.sh"
    yield shell("remote", "becomes")
    yield "# mirror/scripts/local_of.sh"
    yield shell("mirror", "local_of")
    yield "# The repository file of the pool, a format of printf."
    yield f"REPO_FILE={shlex.quote(repo_file('%s'))}"


def main() -> None:
    """Write the helper."""
    HELPER.write_text(written(HELPER.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
