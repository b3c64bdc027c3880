"""What is wrong with a policy file: every problem at once, each with its place and the nearest right spelling."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

MAX_PROBLEMS = 100
"""Reports stop here: a file with more is better read from the top."""


@dataclass(frozen=True, slots=True, order=True)
class SourcePosition:
    """A place in the text; line and column count from 1. `file` is empty in the policy file itself."""

    line: int
    column: int
    file: str = ""


NOWHERE = SourcePosition(0, 0)
"""The place of a problem that has no line: an unreadable file, an environment variable."""


@dataclass(frozen=True, slots=True, order=True)
class ConfigError:
    """One thing to put right, or to think over.

    `key` is the key path, as in "routes[2].cache.ttl"; empty for the file as a whole. `file` is empty in the policy
    file itself, and names an included one.
    """

    line: int
    column: int
    key: str
    message: str
    suggestion: str | None = None
    file: str = ""

    def report(self, name: str) -> str:
        """One line for people: place, key, message, suggestion."""
        name = self.file or name
        place = f"{name}:{self.line}:{self.column}" if self.line else name
        key = f" {self.key}:" if self.key else ""
        hint = f"; {self.suggestion}" if self.suggestion else ""
        return f"{place}:{key} {self.message}{hint}"


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text with "(secret)" in place of each of them; the longest first, as one may be a part of another."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "(secret)")
    return text


class PolicyError(Exception):
    """A policy that cannot be used. `problems` are in the order of the text; str() is a readable report."""

    def __init__(self, name: str, problems: Iterable[ConfigError]) -> None:
        self.name = name
        found = sorted(set(problems), key=lambda problem: (problem.file, problem.line, problem.column, problem.key))
        self.problems: tuple[ConfigError, ...] = tuple(found[:MAX_PROBLEMS])
        self.omitted = len(found) - len(self.problems)
        super().__init__(self.report())

    def report(self) -> str:
        """Every problem on a line of its own."""
        lines = [problem.report(self.name) for problem in self.problems]
        if self.omitted:
            lines.append(f"{self.name}: and {self.omitted} more problems")
        return "\n".join(lines)


def misspelt(word: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """A hint that names the known word most like `word`; None when none is that much alike (1 is equal)."""
    lowered = {candidate.lower(): candidate for candidate in sorted(set(known))}
    close = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=likeness)
    return f'did you mean "{lowered[close[0]]}"?' if close else None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the known word most like `word`, or lists them when few and none is alike."""
    words = sorted(set(known))
    if (hint := misspelt(word, words)) is not None:
        return hint
    if words and len(words) <= 16:
        return "known: " + ", ".join(words)
    return None
