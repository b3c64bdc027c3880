r"""Path templates ("/users/{id}", "/files/{name:path}") and tag templates ("user:{id}").

A parameter's value enters a tag in one canonical form: its percent-encoding is undone, then whatever is not plain in a
tag is percent-encoded (`core.tags.tag_text`). So one value has one tag however the client wrote it, and it is the
tag of a table's row that holds this value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from veneer.core.outcome import Reason
from veneer.core.percent import folded
from veneer.core.tags import tag_text_of_bytes
from veneer.core.target import NOTHING_ODD, normalise_path
from veneer.policy.spelling import PARAMETER

MAX_TAG_CHARS = 256
MAX_SEGMENTS = 64

_REGEX = re.compile(r"^[\^~]|\.[*+]|\\[dwsDWS.]|\[\^|\[[^\]]*-[^\]]*\]|\(\?|\$$")
"""What occurs in patterns of other proxies and hardly ever in a path. Who means it literally writes %5B, %24."""
_PARAMETER = re.compile(rf"\{{({PARAMETER})(?::([^{{}}]*))?\}}", re.ASCII)
_TAG_PARAMETER = re.compile(rf"\{{((?:identity\.)?{PARAMETER})(?::([^{{}}]*))?\}}", re.ASCII)
_OTHER_PARAMETER = re.compile(r":([A-Za-z_][\w-]*)|<(?:[a-z]+:)?([A-Za-z_][\w-]*)>", re.ASCII)
"""How other routers write a parameter."""
_TAG_TEXT = re.compile(r"[!#-'()+\-.-\[\]-z|~]*", re.ASCII)  # visible ASCII less '"', "*", ",", "\" and braces


class TemplateError(ValueError):
    """A template that cannot be read; `suggestion` says what would be right."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Parameter:
    """A segment that matches anything (not empty), or with `rest` any number of them, even of none but an empty one."""

    name: str
    rest: bool = False


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A path of literal segments and parameters, at most one of which is a `rest` parameter."""

    text: str
    parts: tuple[str | Parameter, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters, in order."""
        return tuple(part.name for part in self.parts if isinstance(part, Parameter))

    @property
    def literal(self) -> str | None:
        """The one path this matches when it has no parameters."""
        if self.names:
            return None
        return "/" + "/".join(str(part) for part in self.parts)

    @property
    def rest_at(self) -> int | None:
        """Which part the `rest` parameter is, if there is one."""
        rests = (at for at, part in enumerate(self.parts) if isinstance(part, Parameter) and part.rest)
        return next(rests, None)

    @property
    def rest_within(self) -> bool:
        """Whether something follows the `rest` parameter."""
        return self.rest_at is not None and self.rest_at < len(self.parts) - 1

    def matches(self, segments: list[str]) -> bool:
        """Whether a path, split at "/" after its first character, fits."""
        at = self.rest_at
        if at is None:
            return len(segments) == len(self.parts) and _fit(self.parts, segments)
        behind = len(self.parts) - at - 1
        if len(segments) < len(self.parts) or not _fit(self.parts[:at], segments):
            return False
        return not behind or _fit(self.parts[-behind:], segments[-behind:])

    def values(self, segments: list[str]) -> dict[str, str]:
        """The values of the parameters in a path that fits, split at "/" after its first character."""
        values: dict[str, str] = {}
        more = 0  # segments that the rest has taken beyond one
        for index, part in enumerate(self.parts):
            if isinstance(part, Parameter):
                start = index + more
                if part.rest:
                    more = len(segments) - len(self.parts)
                values[part.name] = "/".join(segments[start : index + more + 1])
        return values

    def covers(self, other: PathTemplate) -> bool:
        """Whether every path that `other` matches is matched by this template too, as far as that is plain to see."""
        if self.rest_within:
            mine, theirs = self.parts, other.parts
            return len(mine) == len(theirs) and all(map(_is_at_least, mine, theirs))
        for index, part in enumerate(self.parts):
            if isinstance(part, Parameter) and part.rest:
                return len(other.parts) > index
            if index >= len(other.parts) or not _is_at_least(part, other.parts[index]):
                return False
        return len(self.parts) == len(other.parts)


def _fit(parts: tuple[str | Parameter, ...], segments: list[str]) -> bool:
    """Whether the first segments are what the parts ask for; none of them is a rest."""
    return all(
        bool(segment) if isinstance(part, Parameter) else part == segment
        for part, segment in zip(parts, segments, strict=False)
    )


def _is_at_least(part: str | Parameter, other: str | Parameter) -> bool:
    """Whether every segment, or rest, that the other part takes is one that this part takes."""
    if isinstance(other, Parameter):
        return isinstance(part, Parameter) and (part.rest or not other.rest)
    return part.rest or bool(other) if isinstance(part, Parameter) else part == other


@dataclass(frozen=True, slots=True)
class TagTemplate:
    """Text and parameter names in turn. `prefix` templates end in ":*" and name a tag and all below it."""

    text: str
    parts: tuple[str | Parameter, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters it needs."""
        return tuple(part.name for part in self.parts if isinstance(part, Parameter))

    def fill(self, params: Mapping[str, str]) -> str:
        """The tag for these parameter values."""
        return "".join(tag_value(params[part.name]) if isinstance(part, Parameter) else part for part in self.parts)

    def reach(self, params: Mapping[str, str]) -> str:
        """As `fill`; up to the first parameter without a value, and then whatever follows."""
        known = ""
        for part in self.parts:
            if isinstance(part, Parameter) and part.name not in params:
                end = known.rfind(":") + 1
                return known[:end] + "*"
            known += tag_value(params[part.name]) if isinstance(part, Parameter) else part
        return known


def tag_value(value: str) -> str:
    """A path parameter's value in the form in which it enters a tag."""
    if value.isalnum() and value.isascii():
        return value
    return tag_text_of_bytes(unquote_to_bytes(value.encode("latin-1", "replace")))


def parse_path(text: str, kept: frozenset[Reason] = NOTHING_ODD) -> PathTemplate:
    """A path template from its text, for paths with what is `kept` (core.target). Raises TemplateError."""
    if _REGEX.search(text):
        msg = f'"{text}" looks like a regular expression, but a path is a template'
        raise TemplateError(msg, 'write "{name}" for one segment, "{name:path}" for any number')
    if not text.startswith("/"):
        msg = f'"{text}" does not begin with "/"'
        raise TemplateError(msg, f'write "/{text}"')
    for sign, name in (("?", "query"), ("#", "fragment")):
        if sign in text:
            msg = f'a path has no {name}, but "{text}" holds "{sign}"'
            raise TemplateError(msg, "match parameters under `query:`")
    segments = text[1:].split("/")
    if len(segments) > MAX_SEGMENTS:
        msg = f"a path has at most {MAX_SEGMENTS} segments"
        raise TemplateError(msg)
    parts = tuple(_part(segment, kept) for segment in segments)
    template = PathTemplate(text, parts)
    rests = [part.name for part in parts if isinstance(part, Parameter) and part.rest]
    if len(rests) > 1:
        msg = f'"{rests[0]}" and "{rests[1]}" both take any number of segments, so nobody can tell which takes which'
        raise TemplateError(msg, f'write "{{{rests[1]}}}" for one segment')
    for name in template.names:
        if template.names.count(name) > 1:
            msg = f'parameter "{name}" occurs twice'
            raise TemplateError(msg)
    return template


def _part(segment: str, kept: frozenset[Reason]) -> str | Parameter:
    found = _PARAMETER.fullmatch(segment)
    if found is not None:
        name, kind = found[1], found[2]
        if kind not in (None, "path"):
            msg = f'"{segment}" has an unknown kind "{kind}"'
            raise TemplateError(msg, f'write "{{{name}}}" or "{{{name}:path}}"')
        return Parameter(name, rest=kind == "path")
    if "{" in segment or "}" in segment:
        msg = f'"{segment}" mixes text and a parameter'
        raise TemplateError(msg, 'a parameter such as "{name}" is a whole segment')
    if segment.startswith("*") or segment.endswith("*"):
        # The pattern of a shell. A path that really has such a segment is matched by a parameter.
        msg = f'"{segment}" matches nothing but itself'
        raise TemplateError(msg, 'write "{name}" for one segment, "{name:path}" for any number')
    if (other := _OTHER_PARAMETER.fullmatch(segment)) is not None:
        name = (other[1] or other[2]).replace("-", "_")
        msg = f'"{segment}" matches nothing but itself'
        raise TemplateError(msg, f'write "{{{name}}}" for one segment')
    return literal_segment(segment, kept)


def literal_segment(segment: str, kept: frozenset[Reason] = NOTHING_ODD) -> str:
    """A literal segment as it stands in a path that core.target has normalised, and folded. Raises TemplateError."""
    raw = segment.encode("utf-8", "surrogatepass").decode("latin-1")
    normal = normalise_path("/" + raw, kept)
    if isinstance(normal, Reason):
        hint = 'write "%25"' if normal is Reason.TARGET_PERCENT else None
        msg = f'"{segment}" can match nothing: such paths are refused ({normal.value})'
        raise TemplateError(msg, hint)
    return folded(normal)[1:]


def parse_tag(text: str, *, prefix_allowed: bool) -> TagTemplate:
    """A tag template from its text; with `prefix_allowed` it may end in ":*" or be "*". Raises TemplateError."""
    body, suffix = text, ""
    if text == "*" or text.endswith(":*"):
        if not prefix_allowed:
            msg = f'"{text}" names many tags, but a response carries single ones'
            raise TemplateError(msg)
        body, suffix = text[:-1], "*"
    parts: list[str | Parameter] = []
    position = 0
    for found in _TAG_PARAMETER.finditer(body):
        start = found.start()
        parts += [_tag_text(body[position:start], text), Parameter(found[1])]
        if found[2] is not None:
            msg = f'"{text}" repeats a kind'
            raise TemplateError(msg, f'write "{{{found[1]}}}"')
        position = found.end()
    parts.append(_tag_text(body[position:], text) + suffix)
    template = TagTemplate(text, tuple(part for part in parts if part))
    if not template.parts or len(text) > MAX_TAG_CHARS:
        msg = f"a tag has 1 to {MAX_TAG_CHARS} characters"
        raise TemplateError(msg)
    return template


def _tag_text(piece: str, whole: str) -> str:
    if not _TAG_TEXT.fullmatch(piece):
        hint = '"*" may only stand at the end of an invalidation, as in "users:*"' if "*" in piece else None
        msg = f'"{whole}" holds a character that tags cannot have'
        raise TemplateError(msg, hint)
    return piece
