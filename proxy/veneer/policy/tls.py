"""How a backend is known, and how the proxy makes itself known to it (TLS)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from veneer.policy.file_copies import NO_COPIES, FileCopies


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Paths of PEM files, and the name that the backend's certificate has to have.

    `ca` are authorities instead of the system's; `certificate` with its `key`, which may stand in the same file, is
    shown to the backend. `server_name` None is the URL's host. `digest` stands for what was in the files when the
    policy was read: with other files, connections are made anew. `copies` are where files are read instead.
    """

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    server_name: str | None = None
    digest: str = ""
    copies: FileCopies = field(default=NO_COPIES, compare=False, repr=False)


BY_SYSTEM: Final = TlsSettings()
"""The system's authorities vouch for the URL's host, and nothing is shown."""


class UnusableFileError(ValueError):
    """A file that cannot be used: `member` of TlsSettings names it."""

    def __init__(self, member: str, message: str) -> None:
        super().__init__(message)
        self.member = member


def tls_context(settings: TlsSettings) -> ssl.SSLContext:
    """What connections to the backend are made with. Reads the files. Raises UnusableFileError."""
    member, path, copies = "ca", settings.ca, settings.copies
    try:
        context = ssl.create_default_context(cafile=None if path is None else copies.of(path))
        member, path = "certificate", settings.certificate
        if path is not None:
            context.load_cert_chain(copies.of(path), None if settings.key is None else copies.of(settings.key))
    except ssl.SSLError as error:
        what = "authorities" if member == "ca" else "a certificate and its key"
        msg = f'"{path}" does not hold {what} in PEM ({error.reason or "unreadable"})'
        raise UnusableFileError(member, msg) from None
    except OSError as error:
        msg = f'"{path}" cannot be read: {error.strerror}'
        if member == "certificate" and settings.key is not None:
            msg = f'"{path}" or "{settings.key}" cannot be read: {error.strerror}'
        raise UnusableFileError(member, msg) from None
    return context


def wrong_authorities(url: str, path: str) -> Iterator[tuple[str, str | None]]:
    """What is wrong with a file of authorities for something at a URL, and what would be right."""
    if not url.startswith("https:"):
        yield f'"{url}" is reached without TLS', 'write "https://" there'
    elif not path.startswith("/"):
        yield f'"{path}" is not an absolute path', f'write "/etc/veneer/{path.rpartition("/")[2]}"'
    else:
        try:
            tls_context(TlsSettings(ca=path))
        except UnusableFileError as error:
            yield str(error), None
