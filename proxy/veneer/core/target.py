"""The request target, understood in exactly one way or refused (RFC 9112 section 3.2, RFC 3986).

The path that is matched, keyed and forwarded is the same: proxies and backends that decode differently are how
requests slip past rules. What could be read in two ways is refused with 400 rather than repaired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mypy_extensions import mypyc_attr

from veneer.core.messages import RequestHead
from veneer.core.outcome import Reason
from veneer.core.percent import UNRESERVED, encode_beyond_ascii, has_bad_percent, normalise_percent
from veneer.core.remembered import memoised

DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_IN_TARGETS: Final = bytes(code for code in range(0x21, 0x7F) if code != ord("#"))
"""The bytes that a target may hold."""
_ORDINARY: Final = _IN_TARGETS.translate(None, b"%\\")
"""Those that mean nothing but themselves in a path."""
NOTHING_ODD: Final[frozenset[Reason]] = frozenset()
KEEPABLE: Final = frozenset({Reason.TARGET_ENCODED_SLASH, Reason.TARGET_BACKSLASH, Reason.TARGET_DOT_SEGMENT})
"""What servers read in different ways, and a policy may keep where it knows how its backend reads it."""
_REG_NAME: Final = UNRESERVED | frozenset("!$&'()*+,;=%")
_IP_LITERAL: Final = frozenset("0123456789abcdefABCDEF:.")


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True, unsafe_hash=True)
class Target:
    """What a request is for.

    `path` is normalised and begins with "/", or is "*"; `query` is as it came (in ASCII), without "?", or None;
    `authority` is in lower case, without the scheme's default port, empty only where an HTTP/1.0 client named no host.
    """

    path: Final[str]
    query: Final[str | None]
    authority: Final[str]
    scheme: Final[str]

    def __init__(self, path: str, query: str | None, authority: str, scheme: str) -> None:
        self.path = path
        self.query = query
        self.authority = authority
        self.scheme = scheme


@dataclass(frozen=True, slots=True)
class TargetRefusal:
    """The target is refused with 400; `at` is the index of the bad byte where there is one."""

    reason: Reason
    at: int | None = None


def parse_target(
    raw: str,
    hosts: Sequence[str],
    *,
    method: str,
    scheme: str = "http",
    version: tuple[int, int] = (1, 1),
    kept: frozenset[Reason] = NOTHING_ODD,
) -> Target | TargetRefusal:
    """Read the request-target `raw` and the values of all Host lines.

    `scheme` is that of the connection and stays: a client cannot claim https in its target. An absolute-form target
    brings its own authority, which wins over Host (RFC 9112 section 3.2.2). The authority-form of CONNECT is refused:
    this is not a tunnel. `kept` are those of KEEPABLE that are not refused.
    """
    authority = _host(hosts, scheme, version)
    if isinstance(authority, TargetRefusal):
        return authority
    refusal = _bad_byte(raw)
    if refusal is not None:
        return refusal
    if raw == "*":
        return Target("*", None, authority, scheme) if method == "OPTIONS" else TargetRefusal(Reason.TARGET_FORM)
    rest = raw
    if not raw.startswith("/"):
        absolute = _absolute(raw)
        if isinstance(absolute, TargetRefusal):
            return absolute
        _, authority, rest = absolute
    path_text, question, query = rest.partition("?")
    path = normalise_path(path_text, kept)
    if isinstance(path, Reason):
        return TargetRefusal(path)
    return Target(path, encode_beyond_ascii(query) if question else None, authority, scheme)


def normal_target(raw: bytes) -> tuple[str, str | None] | None:
    """Path and query of a target in origin form that `parse_target` leaves as it is; None for any other."""
    odd = raw.lstrip(_ORDINARY)  # what begins with the first byte that is not ordinary
    if not raw.startswith(b"/") or (odd and odd.translate(None, _IN_TARGETS)):
        return None
    path, question, query = raw.decode("ascii").partition("?")
    if (odd or "/." in path) and normalise_path(path) != path:
        return None
    return path, query if question else None


def normalise_path(path: str, kept: frozenset[Reason] = NOTHING_ODD) -> str | Reason:
    """The normal form of an absolute path (RFC 3986 section 6.2.2), or why it is ambiguous.

    What is in `kept` stays as it is: it is neither decoded nor resolved. It is still looked at when dot segments are
    searched for, since a server that takes it for a slash would find them.
    """
    if "%" in path or not path.isascii():
        return _decoded_path(path, kept)
    if "\\" in path and Reason.TARGET_BACKSLASH not in kept:
        return Reason.TARGET_BACKSLASH
    suspect = "/." in path or "\\" in path
    return _unless_dotted(path, kept) if suspect else path


def _unless_dotted(normal: str, kept: frozenset[Reason]) -> str | Reason:
    if Reason.TARGET_DOT_SEGMENT in kept or not _has_dot_segment(normal):
        return normal
    return Reason.TARGET_DOT_SEGMENT


def _decoded_path(path: str, kept: frozenset[Reason]) -> str | Reason:
    """As `normalise_path`, of a path with something to be decoded or encoded."""
    if has_bad_percent(path):
        return Reason.TARGET_PERCENT
    normal = normalise_percent(path)
    backslash = "\\" in normal or "%5C" in normal
    if backslash and Reason.TARGET_BACKSLASH not in kept:
        return Reason.TARGET_BACKSLASH
    if "%" in normal:
        if "%2F" in normal and Reason.TARGET_ENCODED_SLASH not in kept:
            return Reason.TARGET_ENCODED_SLASH
        if any(code in normal for code in _ENCODED_CONTROLS):
            return Reason.TARGET_CONTROL
    suspect = backslash or "/." in normal or "%2F" in normal
    return _unless_dotted(normal, kept) if suspect else normal


def _has_dot_segment(normal: str) -> bool:
    for segment in normal.replace("%2F", "/").replace("%5C", "/").replace("\\", "/").split("/"):
        # servers that know path parameters read "..;x" as ".."
        if segment.partition(";")[0].partition("%3B")[0] in {".", ".."}:
            return True
    return False


_ENCODED_CONTROLS: Final = (*(f"%{code:02X}" for code in range(0x20)), "%7F")


def _bad_byte(raw: str) -> TargetRefusal | None:
    """Bytes that no target may hold: controls, space, and "#", which is for clients alone."""
    if not raw:
        return TargetRefusal(Reason.TARGET_EMPTY)
    if not raw.isprintable() or " " in raw or not raw.isascii():
        for at, char in enumerate(raw):
            if char <= " " or char == "\x7f":
                return TargetRefusal(Reason.TARGET_CONTROL, at)
    return TargetRefusal(Reason.TARGET_FRAGMENT, raw.find("#")) if "#" in raw else None


def _absolute(raw: str) -> tuple[str, str, str] | TargetRefusal:
    """Scheme, authority and the rest of an absolute-form target (RFC 9112 section 3.2.2)."""
    scheme, separator, rest = raw.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in DEFAULT_PORTS:
        return TargetRefusal(Reason.TARGET_FORM)
    ends = [at for at in (rest.find("/"), rest.find("?")) if at != -1]
    end = min(ends, default=len(rest))
    authority = parse_authority(rest[:end], scheme)
    if not authority:
        return TargetRefusal(Reason.HOST_INVALID)
    tail = rest[end:]
    return scheme, authority, tail if tail.startswith("/") else "/" + tail


def _host(hosts: Sequence[str], scheme: str, version: tuple[int, int]) -> str | TargetRefusal:
    """The authority of the Host field: exactly one, unless the client speaks HTTP/1.0 (RFC 9112 section 3.2)."""
    if len(hosts) > 1:
        return TargetRefusal(Reason.HOST_REPEATED)
    if not hosts:
        return "" if version < (1, 1) else TargetRefusal(Reason.HOST_MISSING)
    authority = _known_authority((hosts[0], scheme)) if hosts[0] else ""
    return TargetRefusal(Reason.HOST_INVALID) if authority is None else authority


def parse_authority(text: str, scheme: str) -> str | None:
    """The host and port in lower case without the scheme's default port; None when it is malformed or has userinfo."""
    return _known_authority((text, scheme))


def _read_authority(said: tuple[str, str]) -> str | None:
    text, scheme = said
    if text.startswith("["):
        literal, bracket, rest = text[1:].partition("]")
        if not bracket or not literal or not _IP_LITERAL.issuperset(literal) or (rest and rest[0] != ":"):
            return None
        host, port = f"[{literal}]", rest[1:]
    else:
        host, colon, port = text.partition(":")
        if not host or not _REG_NAME.issuperset(host) or (colon and not port):
            return None
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65_535):
        return None
    host = host.lower()
    return host if not port or str(int(port)) == DEFAULT_PORTS.get(scheme) else f"{host}:{int(port)}"


_known_authority: Final = memoised(_read_authority, 512)


def resolve(request: RequestHead, reference: str) -> tuple[str, str, str] | None:
    """Scheme, authority and origin-form target of a URI reference in a response to `request` (RFC 3986 section 5).

    None when it cannot be resolved to http or https. A fragment is dropped.
    """
    text = reference.partition("#")[0].strip()
    scheme, colon, _ = text.partition(":")
    if text.startswith("//"):
        text, colon, scheme = f"{request.scheme}:{text}", ":", request.scheme
    if colon and scheme.isalpha():
        absolute = _absolute(text)
        return None if isinstance(absolute, TargetRefusal) else (absolute[0], absolute[1], _without_dots(absolute[2]))
    if text.startswith("/"):
        target = text
    elif not text:
        target = request.target
    elif text.startswith("?"):
        target = request.path + text
    else:
        target = request.path[: request.path.rfind("/") + 1] + text
    return request.scheme, request.authority, _without_dots(target)


def within(origin: str, reference: str) -> str | None:
    """The target below `origin` (scheme, authority and perhaps a path), where `reference` is an absolute one there.

    None for any other reference, and where the target would be read as another authority.
    """
    beginning = reference[: len(origin)]
    rest = reference[len(origin) :]
    if beginning.lower() != origin.lower() or (rest and rest[0] not in "/?#") or rest.startswith("//"):
        return None
    return rest if rest.startswith("/") else "/" + rest


def _without_dots(target: str) -> str:
    """The target with its path's dot segments removed and its percent-encoding in normal form (RFC 3986 5.2.4)."""
    path, question, query = target.partition("?")
    out: list[str] = []
    segments = normalise_percent(path).split("/")[1:]
    for at, segment in enumerate(segments):
        if segment in {".", ".."}:
            if segment == ".." and out:
                out.pop()
            if at == len(segments) - 1:
                out.append("")
        else:
            out.append(segment)
    return "/" + "/".join(out) + question + query


def same_resource(request: RequestHead, reference: str) -> bool:
    """Whether a URI reference in the response names the request's own target URI."""
    resolved = resolve(request, reference)
    return resolved is not None and resolved == (request.scheme, request.authority, request.target)
