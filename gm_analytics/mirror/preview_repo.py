"""The repository file of a preview, which a client takes with one command."""

from __future__ import annotations

from gm_analytics.http_login import HttpLogin
from gm_analytics.mirror import client_file
from gm_analytics.mirror.publication import Publication


def repo_file(publication: Publication, base_url: str, login: HttpLogin | None = None) -> str:
    """Give what yum and dnf read of a pull request's preview, served as `previews/NUMBER.repo`.

    A preview changes with each push, so what was read of it is not believed for long; and it goes
    when the pull request does, so a client that kept the file goes on without it.
    """
    number = publication.number
    return client_file.text(
        f"{base_url}previews/{number}/",
        client_file.Trusted.of(publication, base_url),
        name=f"Preview of {publication.repository}",
        repo_id=f"gm-preview-{number}",
        username=login.username if login else "",
        more=("skip_if_unavailable=1",),
    )


def address(preview: str) -> str:
    """Give the address of a preview's file, from the preview's own."""
    return f"{preview.rstrip('/')}.repo" if preview else ""
