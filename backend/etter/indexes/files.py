"""Read the index files. Strict: one form of statement, and a reason above each."""

import re
from dataclasses import dataclass
from pathlib import Path

_INDEX = re.compile(
    r"CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+IF\s+NOT\s+EXISTS\s+(?P<name>[a-z_]+)\s+ON\s+(?P<table>[a-z_]+)\b"
)
_EXTENSION = re.compile(r"CREATE\s+EXTENSION\s+IF\s+NOT\s+EXISTS\s+(?P<name>[a-z_]+)\s*\Z")


class IndexFileError(ValueError):
    """A file holds something that is not an index with a reason."""


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension that indexes need."""

    name: str
    sql: str


@dataclass(frozen=True, slots=True)
class Index:
    """A wanted index and why it is wanted."""

    name: str
    table: str
    sql: str
    reason: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that the files ask for."""

    extensions: tuple[Extension, ...]
    indexes: tuple[Index, ...]


def default_directory() -> Path:
    """Return `indexes/` of the checkout; an installed package has to be told."""
    return Path(__file__).resolve().parents[3] / "indexes"


def read_files(directory: Path) -> Wanted:
    """Read every `*.sql` file, in the order of names."""
    files = sorted(directory.glob("*.sql"))
    if not files:
        msg = f"{directory}: no index files; pass --dir or set ETTER_INDEXES_DIR"
        raise IndexFileError(msg)
    extensions: list[Extension] = []
    indexes: list[Index] = []
    for file in files:
        for statement in _statements(file):
            if isinstance(statement, Extension):
                extensions.append(statement)
            else:
                indexes.append(statement)
    names = [index.name for index in indexes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"{directory}: {twice[0]} is defined twice"
        raise IndexFileError(msg)
    return Wanted(tuple(extensions), tuple(indexes))


def _statements(file: Path) -> list[Extension | Index]:
    found: list[Extension | Index] = []
    reason: list[str] = []
    sql: list[str] = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if text.startswith("--"):
            reason.append(text.removeprefix("--").strip())
        elif text:
            sql.append(text)
            if text.endswith(";"):
                found.append(_parse(f"{file.name}:{number}", " ".join(sql).removesuffix(";"), " ".join(reason)))
                reason, sql = [], []
    if sql:
        msg = f"{file.name}: the last statement lacks its semicolon"
        raise IndexFileError(msg)
    return found


def _parse(where: str, sql: str, reason: str) -> Extension | Index:
    if not reason:
        msg = f"{where}: a comment with the reason must stand above the statement"
        raise IndexFileError(msg)
    if match := _EXTENSION.match(sql):
        return Extension(match["name"], sql)
    if match := _INDEX.match(sql):
        return Index(match["name"], match["table"], sql, reason)
    msg = f"{where}: expected CREATE [UNIQUE] INDEX CONCURRENTLY IF NOT EXISTS name ON table ..., found: {sql[:60]}"
    raise IndexFileError(msg)
