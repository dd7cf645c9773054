"""What a command on another host said, as text."""

from __future__ import annotations

from dataclasses import dataclass

from gm_analytics.remote import channel


@dataclass(frozen=True)
class Result:
    """What a command said, as text, and its exit code."""

    exited: int
    stdout: str
    stderr: str

    @classmethod
    def of(cls, output: channel.Output) -> Result:
        """Take bytes that are not UTF-8 for what they are: replaced."""
        decoded = (part.decode(errors="replace") for part in (output.stdout, output.stderr))
        return cls(output.exited, *decoded)

    @property
    def ok(self) -> bool:
        """Whether the exit code is 0."""
        return self.exited == 0
