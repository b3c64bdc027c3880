"""From the checked shapes of listeners, the admin listener included, to their settings."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import replace

from veneer.core.address import node_address
from veneer.core.listen_address import Address, ListenAddress, parse_listen_address
from veneer.policy.document import Document, KeyPath
from veneer.policy.file_copies import FileCopies
from veneer.policy.listener_tls import (
    CertificatePair,
    ListenerTls,
    UnusablePairError,
    certificate_of,
    out_of_time,
    server_context,
)
from veneer.policy.node_settings import LEAST_TOKEN_CHARS, AdminSettings, ListenerSettings
from veneer.policy.places import is_loopback
from veneer.policy.problems import ConfigError
from veneer.policy.schema_listen import ListenerShape, ListenerTlsShape, PairShape
from veneer.policy.schema_node import AdminShape
from veneer.policy.sources import MissingValueError, Sources
from veneer.policy.wrong import Wrong


def read_listeners(
    shapes: Sequence[ListenerShape], sources: Sources, document: Document
) -> tuple[tuple[ListenerSettings, ...], list[Wrong]]:
    """The settings of the listeners whose address is one, and what is wrong with any."""
    found: list[ListenerSettings] = []
    wrong: list[Wrong] = []
    for index, shape in enumerate(shapes):
        try:
            address = parse_listen_address(shape.address)
        except ValueError as error:
            why, hint = str(error).replace("'", '"'), 'write "0.0.0.0:8080" or "unix:/run/a.sock"'
            wrong.append(Wrong(("listeners", index, "address"), why, hint))
            continue
        if address in [other.address for other in found]:
            wrong.append(Wrong(("listeners", index, "address"), f'"{address}" is listed twice', "leave one away"))
        tls = None if shape.tls is None else _tls(shape.tls, sources, document, ("listeners", index, "tls"))
        below = _wrong_listener(shape, address, tls)
        wrong += [Wrong(("listeners", index, *one.path), one.message, one.suggestion) for one in below]
        networks = tuple(text for text in map(network_of, shape.proxy_protocol) if text is not None)
        found.append(ListenerSettings(address, shape.mode, node_address(shape.peer), tls, networks))
    return tuple(found), wrong


def _wrong_listener(shape: ListenerShape, address: ListenAddress, tls: ListenerTls | None) -> Iterator[Wrong]:
    if isinstance(address, Address):
        for key in sorted({"mode", "peer"} & shape.model_fields_set):
            yield Wrong((key,), f'"{address}" is no socket in the file system', f"remove `{key}`")
    try:
        ipaddress.ip_address(shape.peer)
    except ValueError:
        yield Wrong(("peer",), f'"{shape.peer}" is no IP address', 'write "127.0.0.1"')
    for index, text in enumerate(shape.proxy_protocol):
        if network_of(text) is None:
            yield Wrong(("proxy_protocol", index), f'"{text}" is no address or network', 'write "10.0.0.0/8" or "::1"')
    if tls is not None:
        yield from _wrong_tls(tls)


def network_of(text: str) -> str | None:
    """A network in its shortest form; None where it is none."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        return None


def _tls(shape: ListenerTlsShape, sources: Sources, document: Document, path: KeyPath) -> ListenerTls:
    """How clients are spoken with. The policy depends on what is in the files."""

    def pair(given: PairShape, below: KeyPath) -> CertificatePair:
        noted = "".join([sources.noted(name) for name in (given.certificate, given.key) if name is not None])
        at = document.locate((*path, *below, "certificate"))
        copies = FileCopies(sources.copies)
        found = CertificatePair(given.certificate, given.key, noted, at.line, at.column, at.file, copies=copies)
        try:
            return replace(found, held=certificate_of(found))
        except (OSError, ValueError):
            return found  # what is wrong with it is told by who makes something of it

    others = [pair(other, ("others", index)) for index, other in enumerate(shape.others)]
    return ListenerTls((pair(shape, ()), *others), shape.min_version)


def _wrong_tls(settings: ListenerTls) -> Iterator[Wrong]:
    """What is wrong with the pairs of a listener."""
    for index, pair in enumerate(settings.pairs):
        for key, path in (("certificate", pair.certificate), ("key", pair.key)):
            if path is not None and not path.startswith("/"):
                hint = f'write "/etc/veneer/{path.rpartition("/")[2]}"'
                yield Wrong(("tls", *_of_pair(index), key), f'"{path}" is not an absolute path', hint)
                return
    try:
        server_context(settings)
    except UnusablePairError as error:
        yield Wrong(("tls", *_of_pair(error.pair), error.member), str(error), error.suggestion)


def _of_pair(index: int) -> KeyPath:
    return ("others", index - 1) if index else ()


def time_warnings(listeners: Sequence[ListenerSettings], now_s: float) -> tuple[ConfigError, ...]:
    """Certificates that do not hold now, or not for long any more."""
    return tuple(
        ConfigError(pair.line, pair.column, "listeners", why, "renew it; the proxy reads it again by itself", pair.file)
        for listener in listeners
        if listener.tls is not None
        for pair, why in out_of_time(listener.tls, now_s)
    )


def read_admin(shape: AdminShape, sources: Sources) -> tuple[AdminSettings, list[Wrong]]:
    """The admin listener with the token in its file, and what is wrong with the section `admin`."""
    wrong, token = list(_wrong_admin(shape)), None
    if shape.token_file is not None:
        at = ("admin", "token_file")
        try:
            token = sources.secret(shape.token_file).strip()
        except MissingValueError as error:
            wrong.append(Wrong(at, str(error), error.suggestion))
        else:
            if len(token) < LEAST_TOKEN_CHARS:
                why = f"a token of {len(token)} characters is guessed, and {LEAST_TOKEN_CHARS} are needed"
                wrong.append(Wrong(at, why, "write what `openssl rand -base64 32` says into it"))
    settings = AdminSettings(shape.listen, shape.token_env, shape.probes, shape.token_file, token)
    return settings, wrong


def _wrong_admin(shape: AdminShape) -> Iterator[Wrong]:
    host = _host(shape.listen)
    if host is None:
        yield Wrong(("admin", "listen"), f'"{shape.listen}" is not HOST:PORT', 'write "127.0.0.1:9090"')
    elif shape.token_env is None and shape.token_file is None and not is_loopback(host):
        hint = "name the token's file as `admin.token_file`, or listen on 127.0.0.1"
        yield Wrong(("admin", "listen"), f"{host} is not a loopback address, and there is no token", hint)
    if shape.probes is not None and _host(shape.probes) is None:
        yield Wrong(("admin", "probes"), f'"{shape.probes}" is not HOST:PORT', 'write "0.0.0.0:9091"')
    elif shape.probes == shape.listen:
        yield Wrong(
            ("admin", "probes"), f'"{shape.probes}" is where the admin listener is', "give it a port of its own"
        )


def _host(text: str) -> str | None:
    """The host of HOST:PORT; None where it is none."""
    host, colon, port = text.rpartition(":")
    return host if host and colon and port.isdigit() and int(port) <= 65_535 else None
