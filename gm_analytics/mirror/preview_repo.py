"""The repository file of a preview, which a client takes with one command."""

from __future__ import annotations

from gm_analytics.mirror import client_file


def repo_file(number: int, pull_request: str, base_url: str, key_url: str = "") -> str:
    """Give what yum and dnf read of a pull request's preview, served as `previews/NUMBER.repo`.

    `key_url` is where clients find the key, if the metadata are signed.

    A preview changes with each push, so what was read of it is not believed for long; and it goes
    when the pull request does, so a client that kept the file goes on without it.
    """
    return client_file.text(
        f"{base_url}previews/{number}/",
        key_url,
        name=f"Preview of {pull_request}",
        repo_id=f"gm-preview-{number}",
        more=("skip_if_unavailable=1",),
    )


def address(preview: str) -> str:
    """Give the address of a preview's file, from the preview's own."""
    return f"{preview.rstrip('/')}.repo" if preview else ""
