"""Which form of the proxy runs: as it is written, or with modules that were compiled (see veneer.compiling)."""

from __future__ import annotations

import hashlib
from enum import Enum
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
DIGEST_NAME = "compiled.digest"
"""The file in the package that holds the digest of what was compiled."""


class BuildKind(Enum):
    """How the proxy's modules run."""

    INTERPRETED = "interpreted"
    COMPILED = "compiled"


class StaleFormError(Exception):
    """Compiled modules hide sources that they were not made from."""


def form(package: Path = PACKAGE) -> BuildKind:
    """The form of the package in this directory, for this Python. Raises StaleFormError."""
    if not any(True for suffix in EXTENSION_SUFFIXES for _ in package.rglob(f"*{suffix}")):
        return BuildKind.INTERPRETED
    try:
        compiled = (package / DIGEST_NAME).read_text(encoding="ascii")
    except OSError:
        compiled = ""
    if compiled != digest_of(package):
        message = f"{package}: the sources are not those that its modules were compiled from; compile them again"
        raise StaleFormError(message)
    return BuildKind.COMPILED


@cache
def running_form() -> BuildKind:
    """The form of this process, as it was when it was first asked for. Raises StaleFormError.

    To find it reads every source, which no scrape is to wait for; and files that an upgrade has replaced since say
    nothing of what runs.
    """
    return form()


def digest_of(package: Path) -> str:
    """The digest of all sources below a directory: compiled modules hold constants of others."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        text = path.read_bytes()
        digest.update(b"%b %d\n" % (path.relative_to(package).as_posix().encode(), len(text)))
        digest.update(text)
    return digest.hexdigest()
