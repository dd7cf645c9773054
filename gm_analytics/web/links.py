"""Where pages lead: to the forge, to mirrors, and to what may be done."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from gm_analytics.settings import Settings
from gm_analytics.updates.model import Update


@dataclass(frozen=True)
class Button:
    """What may be done, and what it asks before."""

    name: str
    label: str
    icon: str
    action: str
    tone: str = ""
    ask: str = ""


@dataclass(frozen=True)
class Links:
    """Where the pages lead outside."""

    forge: str
    """The address of GitHub's own pages."""
    mirrors: dict[str, str]
    """What each mirror serves, by its name."""

    @classmethod
    def of(cls, settings: Settings) -> Links:
        """Read them off the configuration."""
        host = settings.github.api_url.host
        forge = "https://github.com" if host == "api.github.com" else f"https://{host}"
        return cls(forge, {one.name: str(one.url) for one in settings.mirrors})

    def pull_request(self, update: Update) -> str:
        """Give the address of an update's pull request; nothing if it has none."""
        if not update.number:
            return ""
        return f"{self.forge}/{quote(update.repository)}/pull/{update.number}"

    def commit(self, update: Update) -> str:
        """Give the address of the commit whose manifest counts; nothing if there is none."""
        if not (update.repository and update.commit):
            return ""
        return f"{self.forge}/{quote(update.repository)}/commit/{quote(update.commit)}"
