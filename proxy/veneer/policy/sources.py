"""What a policy file takes from elsewhere: variables of the environment, secrets in files, other policy files."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from veneer.core.redact import is_secret_name
from veneer.policy.problems import ConfigError, PolicyError

MAX_CHARS: Final = 256 * 1024
"""Of one policy file."""
MAX_SECRET_BYTES: Final = 64 * 1024

_VARIABLE: Final = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_NAME: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


class MissingValueError(ValueError):
    """A value that is not there; `suggestion` says what would be right."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.suggestion = suggestion


def read_text(path: Path) -> str:
    """The text of a policy file. Raises PolicyError."""
    try:
        with path.open("rb") as file:
            data = file.read(4 * MAX_CHARS + 1)
    except (OSError, ValueError) as error:
        raise PolicyError(str(path), [ConfigError(0, 0, "", f"cannot be read: {_reason(error)}")]) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyError(str(path), [ConfigError(line, 1, "", "not UTF-8 text")]) from None


@dataclass(slots=True)
class Sources:
    """Where one load of a policy looks things up, and what it found: `files` beside its own, and `used`, all values.

    Paths are relative to `folder`. `secrets` are values that no message may show, `problems` what was not found.
    `copy` tells where secrets and certificates are read instead of where they are named; `copies` are those by name.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    read: Callable[[Path], str] = read_text
    copy: Callable[[Path], Path] | None = None
    files: list[Path] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    problems: list[ConfigError] = field(default_factory=list)
    copies: dict[str, str] = field(default_factory=dict)

    def _found(self, name: str) -> Path:
        """Where a file that is no policy file is read. The policy depends on it."""
        path = self.folder / name
        self.files.append(path)
        if self.copy is None:
            return path
        copied = self.copy(path)
        self.copies[name] = str(copied)
        return copied

    def filled(self, text: str) -> str:
        """The text with variables in place of `${NAME}`, or of `${NAME:-default}`. Raises MissingValueError."""
        return _VARIABLE.sub(self._value, text) if "${" in text else text

    def _value(self, found: re.Match[str]) -> str:
        if found[1] is None:
            return "${"
        named = _NAME.fullmatch(found[1])
        if named is None or not found[2]:
            msg = f'"{found[0][:60]}" is not how a variable is written'
            raise MissingValueError(msg, 'write "${NAME}", or "$${" for the signs themselves')
        value = self.environment.get(named[1], "")
        if not value:
            if named[2] is None:
                msg = f'the environment has no "{named[1]}"'
                raise MissingValueError(msg, f'set it, or write "${{{named[1]}:-default}}"')
            value = named[2]
        if value and is_secret_name(named[1]):
            self.secrets.append(value)
        self.used.append(value)
        return value

    def variable(self, name: str) -> str:
        """The secret in a variable; empty where there is none."""
        value = self.environment.get(name, "")
        if value:
            self.used.append(value)
            self.secrets.append(value)
        return value

    def secret(self, name: str) -> str:
        """The secret in a file, as `content`."""
        text = self.content(name)
        self.secrets.append(text)
        return text

    def content(self, name: str) -> str:
        """The text of a file, less the end of its last line. Raises MissingValueError."""
        path = self._found(name)
        try:
            with path.open("rb") as file:
                data = file.read(MAX_SECRET_BYTES + 1)
            text = data.decode("utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            msg = f'"{name}" cannot be read: {_reason(error)}'
            raise MissingValueError(msg, "name a file that the proxy may read, as in /run/secrets/name") from None
        if not text or len(data) > MAX_SECRET_BYTES:
            msg = f'"{name}" is empty' if not text else f'"{name}" is larger than {MAX_SECRET_BYTES // 1024} KB'
            raise MissingValueError(msg)
        self.used.append(text)
        return text

    def noted(self, name: str) -> str:
        """A digest of a file that something else reads; empty where it cannot be read. The policy depends on it."""
        path = self._found(name)
        try:
            with path.open("rb") as file:
                digest = hashlib.sha256(file.read(MAX_CHARS)).hexdigest()
        except (OSError, ValueError):
            return ""
        self.used.append(digest)
        return digest

    def included(self, path: Path) -> str:
        """The text of another policy file. Raises PolicyError."""
        self.files.append(path)
        text = self.texts[str(path)] = self.read(path)
        self.used.append(text)
        return text


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8 text"
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
