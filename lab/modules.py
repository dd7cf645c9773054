"""Module streams of the lab's upstream: documents of modules.yaml, and their RPMs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from lab.packages import ARCH, Package

PLATFORM = "el9"


@dataclass(frozen=True)
class ModuleStream:
    """One build of a module's stream. Its `packages` have its label."""

    module: str
    stream: str
    packages: tuple[Package, ...] = ()
    profiles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of packages by profiles."""
    requires: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Streams by the modules that it needs, beside its platform."""
    version: int = 1
    context: str = "c0ffee42"

    @classmethod
    def of(cls, module: str, stream: str, *packages: Package, version: int = 1) -> ModuleStream:
        """Give a stream whose profile `common` has its first package."""
        label = f"{module}:{stream}:{version}:c0ffee42"
        release = f"{version}.module+el9+{stream.replace('.', '')}"
        built = tuple(replace(one, release=release, module=label) for one in packages)
        return cls(module, stream, built, {"common": (packages[0].name,)}, version=version)

    def document(self) -> str:
        """Give its document, in the shape of Enterprise Linux's."""
        needed = {"platform": (PLATFORM,), **self.requires}
        return "\n".join(
            [
                "---",
                "document: modulemd",
                "version: 2",
                "data:",
                f"  name: {self.module}",
                f"  stream: {self.stream}",
                f"  version: {self.version}",
                f"  context: {self.context}",
                f"  arch: {ARCH}",
                f"  summary: {self.module} of the lab",
                "  description: >-",
                f"    What {self.module} {self.stream} is.",
                "  license:",
                "    module:",
                "    - MIT",
                "  dependencies:",
                "  - requires:",
                *(f"      {name}: [{', '.join(known)}]" for name, known in needed.items()),
                "  profiles:",
                *(
                    line
                    for name, rpms in self.profiles.items()
                    for line in (
                        f"    {name}:",
                        "      rpms:",
                        *(f"      - {one}" for one in rpms),
                    )
                ),
                "  artifacts:",
                "    rpms:",
                *(f"    - {artifact(one)}" for one in self.packages),
                "...",
                "",
            ]
        )


@dataclass(frozen=True)
class ModuleDefaults:
    """What is active of a module unasked."""

    module: str
    stream: str = ""
    """Empty if no stream is."""
    profiles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Profiles by streams."""

    def document(self) -> str:
        """Give the document."""
        active = [f"  stream: {self.stream}"] if self.stream else []
        profiles = [f"    {name}: [{', '.join(one)}]" for name, one in self.profiles.items()]
        head = ["---", "document: modulemd-defaults", "version: 1", "data:"]
        body = [f"  module: {self.module}", *active, "  profiles:", *profiles]
        return "\n".join([*head, *body, "...", ""])


@dataclass(frozen=True)
class ModuleObsoletes:
    """What takes a stream's place."""

    module: str
    stream: str
    by: str

    def document(self) -> str:
        """Give the document."""
        return (
            "---\ndocument: modulemd-obsoletes\nversion: 1\ndata:\n"
            f"  modified: 2026-01-01T00:00Z\n  module: {self.module}\n"
            f"  stream: {self.stream}\n  message: it has ended\n"
            f"  obsoleted_by:\n    module: {self.module}\n    stream: {self.by}\n...\n"
        )


ModuleDocument = ModuleStream | ModuleDefaults | ModuleObsoletes


def modules_yaml(documents: Iterable[ModuleDocument]) -> str:
    """Give the file."""
    return "".join(one.document() for one in documents)


def artifact(package: Package) -> str:
    """Name a package as its stream's document does."""
    version = f"{package.epoch}:{package.version}-{package.release}"
    return f"{package.name}-{version}.{package.arch}"
