"""A running proxy's admin listener as commands ask it: where it is, with which token, and what went wrong."""

from __future__ import annotations

import argparse
import http.client
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from veneer.cli.flags import ADDRESS_VARIABLE, DEFAULT_ADMIN, TOKEN_FILE_VARIABLE, TOKEN_VARIABLE

FINE, BAD, WRONG_USE, NOT_ASKED = 0, 1, 2, 3
"""Exit statuses: as it should be; the answer is not; told the wrong thing; nobody could be asked."""

TIMEOUT_S: Final = 30.0
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "[::1]", "": "127.0.0.1"}  # noqa: S104 - not bound

T = TypeVar("T")


class NotAskedError(Exception):
    """Nobody answers there, or not to this caller; the text says what to do."""


class RefusedError(Exception):
    """The listener has refused the request; the text says why."""


@dataclass(frozen=True, slots=True)
class AdminClient:
    """One admin listener."""

    url: str
    token: str | None

    def get(self, target: str, form: type[T]) -> T:
        """The answer to GET. Raises NotAskedError and RefusedError."""
        return self._decoded(self.ask("GET", target), form)

    def post(self, target: str, body: Mapping[str, object], form: type[T]) -> T:
        """The answer to POST. Raises NotAskedError and RefusedError."""
        return self._decoded(self.ask("POST", target, json.dumps(body).encode()), form)

    def ask(self, method: str, target: str, body: bytes = b"", taken: frozenset[int] = frozenset({200, 503})) -> bytes:
        """The body of the answer. Raises NotAskedError, and RefusedError for other statuses than those taken."""
        with self._asking(method, target, body) as response:
            text = response.read()
            if response.status in taken and b"problem+json" not in response.getheader("content-type", "").encode():
                return text
        raise RefusedError(_why(text))

    def lines(self, target: str) -> Iterator[bytes]:
        """The lines of an answer that does not end, as they come. Raises NotAskedError and RefusedError."""
        with self._asking("GET", target, b"") as response:
            if response.status != 200:
                raise RefusedError(_why(response.read()))
            try:
                while line := response.readline():
                    yield line
            except (OSError, http.client.HTTPException) as error:
                msg = f"{self.url} has ended: {_reason(error)}"
                raise NotAskedError(msg) from error

    @contextmanager
    def _asking(self, method: str, target: str, body: bytes) -> Iterator[http.client.HTTPResponse]:
        url = urlsplit(self.url)
        made = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = made(url.netloc, timeout=TIMEOUT_S)
        headers = {"Content-Type": "application/json"} if body else {}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            connection.request(method, url.path.rstrip("/") + target, body or None, headers)
            response = connection.getresponse()
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            raise NotAskedError(self._nobody(error)) from error
        try:
            if response.status == 401:
                raise NotAskedError(self._stranger())
            if response.status == 404 and _why(response.peek()).startswith("Not Found"):
                msg = f"{self.url} does not know {target.partition('?')[0]}: an older Veneer, or another server"
                raise NotAskedError(msg)
            yield response
        finally:
            connection.close()

    def _decoded(self, text: bytes, form: type[T]) -> T:
        try:
            return msgspec.json.decode(text, type=form)
        except msgspec.MsgspecError as error:
            msg = f"{self.url} answers otherwise than this Veneer would: {error}"
            raise NotAskedError(msg) from error

    def _nobody(self, error: Exception) -> str:
        if isinstance(error, ConnectionRefusedError):
            return (
                f"nothing listens on {self.url}: is veneer running there, with its admin listener on? "
                f"--admin or {ADDRESS_VARIABLE} names another address"
            )
        return f"{self.url} gave no answer: {_reason(error)}"

    def _stranger(self) -> str:
        if self.token is None:
            return f"{self.url} asks for a token: give it by --token-file, {TOKEN_FILE_VARIABLE} or {TOKEN_VARIABLE}"
        return f"{self.url} does not take this token"


def client_of(arguments: argparse.Namespace, environment: Mapping[str, str]) -> AdminClient:
    """The listener that is meant. Raises NotAskedError where the token cannot be read, or the listener is off."""
    address: str = arguments.admin or environment.get(ADDRESS_VARIABLE) or DEFAULT_ADMIN
    if address == "off":
        msg = f"{ADDRESS_VARIABLE} says that there is no admin listener; --admin names one"
        raise NotAskedError(msg)
    scheme, separator, rest = address.partition("://")
    if not separator:
        scheme, rest = "http", address
    host, colon, port = rest.rpartition(":")
    if colon and host in _EVERYWHERE:
        rest = f"{_EVERYWHERE[host]}:{port}"
    return AdminClient(f"{scheme}://{rest}".rstrip("/"), _token(arguments.token_file, environment))


def _token(file: Path | None, environment: Mapping[str, str]) -> str | None:
    named = file or (Path(said) if (said := environment.get(TOKEN_FILE_VARIABLE)) else None)
    if named is None:
        return environment.get(TOKEN_VARIABLE) or None
    try:
        token = named.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{named}: the token cannot be read: {_reason(error)}"
        raise NotAskedError(msg) from error
    if not token:
        msg = f"{named}: holds no token"
        raise NotAskedError(msg)
    return token


def run(command: Callable[[], int]) -> int:
    """The exit status of a command, with what went wrong on standard error."""
    try:
        return command()
    except NotAskedError as error:
        sys.stderr.write(f"{error}\n")
        return NOT_ASKED
    except RefusedError as error:
        sys.stderr.write(f"{error}\n")
        return BAD
    except BrokenPipeError:
        return FINE  # who read has seen enough
    except KeyboardInterrupt:
        return FINE


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__


def _why(text: bytes) -> str:
    """What a refusal says (RFC 9457)."""
    try:
        told = json.loads(text)
    except ValueError:
        return text.decode("utf-8", "replace").strip()[:500]
    return str(told.get("detail") or told.get("title") or told) if isinstance(told, dict) else str(told)
