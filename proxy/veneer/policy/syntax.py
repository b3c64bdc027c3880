"""What is wrong where a policy file is no YAML, in plain words: YAML's own speak of its grammar."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from veneer.policy.problems import SourcePosition

_KEY: Final = re.compile(r"\s*(?:- +)*([^\s:#][^:#]*?)\s*(?::(?:\s|$)|$)")
_BRACES_IN_FLOW: Final = re.compile(r"""(?<![\w"'/}])(/[^\s"',}]*\{\w+(?::\w+)?\}[^\s"',}]*)""")
_SHOWN: Final = 40


class Fault(NamedTuple):
    """Where, what is wrong, and what would be right."""

    at: SourcePosition
    message: str
    hint: str | None


class _Level(NamedTuple):
    """A column at which a key could stand, or the dash of an item, and the line that says so."""

    column: int
    is_dash: bool
    line: int


def fault(words: str, at: SourcePosition, opened: SourcePosition | None, text: str) -> Fault:
    """What YAML's words mean. `opened` is where that begins which it has not understood, if it says so."""
    lines = text.splitlines()
    line = lines[at.line - 1] if at.line <= len(lines) else ""
    for pattern, explain in _FAULTS:
        if pattern in words and (found := explain(at, opened, line, lines)) is not None:
            return found
    return Fault(at, f"not YAML: {words}", None)


def _tab(at: SourcePosition, _opened: SourcePosition | None, line: str, _lines: Sequence[str]) -> Fault | None:
    return Fault(at, "a tab", "indent with spaces, not with tabs") if "\t" in line else None


def _indented(at: SourcePosition, _opened: SourcePosition | None, line: str, lines: Sequence[str]) -> Fault | None:
    """A line that stands below nothing that it could belong to."""
    indent = len(line) - len(line.lstrip())
    before = line[indent : at.column - 1]
    if re.match(r"(?:- +)*[^\s\"'{\[#][^\"'{\[#]*?: +\S", before):
        return Fault(at, 'a second ": " within a value', "put the whole value into quotes")
    levels = _levels(lines, at.line - 1)
    dash = line.lstrip().startswith("- ")
    fitting = [level for level in levels if level.is_dash is dash]
    if any(level.column == indent for level in fitting):
        return _without_colon(at, lines)
    if not fitting:
        return None
    best = min(fitting, key=lambda level: abs(level.column - indent))
    what = "the dash" if dash else f'"{_name(line)}"'
    hint = f"indent it by {best.column}, as line {best.line}" if best.column else "write it at the line's beginning"
    if not dash and lines[best.line - 1].lstrip().startswith("- ") and best.column:
        hint = (
            f'indent it by {best.column}, so that it stands below "{_name(lines[best.line - 1])}" of line {best.line}'
        )
    place = SourcePosition(at.line, indent + 1, at.file)
    return Fault(place, f"{what} is indented by {indent}, and belongs to nothing there", hint)


def _without_colon(at: SourcePosition, lines: Sequence[str]) -> Fault | None:
    """A line above that has no colon, so that the next one seems to go on with it."""
    for index in range(at.line - 2, -1, -1):
        words = lines[index].strip()
        if not words or words.startswith("#"):
            continue
        if ":" in words:
            return None
        column = len(lines[index]) - len(lines[index].lstrip()) + 1
        return _no_colon(SourcePosition(index + 1, column, at.file), words)
    return None


def _keyless(at: SourcePosition, opened: SourcePosition | None, _line: str, lines: Sequence[str]) -> Fault | None:
    place = opened or at
    words = lines[place.line - 1].strip() if place.line <= len(lines) else ""
    return _no_colon(place, words)


def _no_colon(at: SourcePosition, words: str) -> Fault:
    key = _short(words.removeprefix("- ").partition(" ")[0])
    return Fault(at, f'no ":" behind "{key}"', f'write "{key}: ..."')


def _levels(lines: Sequence[str], until: int) -> list[_Level]:
    """Where a line could stand after those before it: the nearest one that is not indented as far, and so on."""
    found: list[_Level] = []
    ceiling: float = float("inf")
    for index in range(until - 1, -1, -1):
        line = lines[index]
        bare = line.lstrip()
        indent = len(line) - len(bare)
        if not bare or bare.startswith("#") or indent >= ceiling:
            continue
        dash = re.match(r"- +", bare)
        if dash is not None:
            if indent + dash.end() < ceiling:
                found.append(_Level(indent + dash.end(), is_dash=False, line=index + 1))
            found.append(_Level(indent, is_dash=True, line=index + 1))
        else:
            found.append(_Level(indent, is_dash=False, line=index + 1))
        ceiling = indent
    return found


def _open(closing: str) -> Callable[[SourcePosition, SourcePosition | None, str, Sequence[str]], Fault]:
    def explain(at: SourcePosition, opened: SourcePosition | None, line: str, _lines: Sequence[str]) -> Fault:
        """Something between brackets that ends nowhere, or lacks what parts it."""
        if closing == "}" and "${" in line:
            hint = 'a variable needs quotes there: "${NAME}"; a number stands on a line of its own'
            return Fault(at, "a variable within {...}", hint)
        if closing == "}" and (path := _BRACES_IN_FLOW.search(line)) is not None:
            return Fault(at, "a path with a parameter within {...}", f'it needs quotes there: "{path[1]}"')
        opening = {"}": "{", "]": "["}[closing]
        begun = "" if opened is None else f" of line {opened.line}"
        hint = f'a "," between two values is missing, or the "{closing}" that ends it'
        return Fault(at, f'the "{opening}"{begun} is not closed before this', hint)

    return explain


def _valueless(at: SourcePosition, *_: object) -> Fault:
    return Fault(at, "a value is missing here", 'write it, or close the "{" or "[" that was opened before')


def _unclosed_quote(at: SourcePosition, opened: SourcePosition | None, *_: object) -> Fault:
    return Fault(opened or at, "a quote begins here and does not end", "close it, with the same sign")


def _escape(at: SourcePosition, _opened: SourcePosition | None, line: str, _lines: Sequence[str]) -> Fault:
    sign = line[at.column - 1 : at.column]
    return Fault(at, f'"\\{sign}" means nothing within "..."', f"write \"\\\\{sign}\", or put it into '...'")


def _sign(at: SourcePosition, opened: SourcePosition | None, _line: str, lines: Sequence[str]) -> Fault | None:
    place = opened or at
    text = lines[place.line - 1][place.column - 1 :] if place.line <= len(lines) else ""
    return Fault(place, f'a value that begins with "{text[0]}" needs quotes', "put it into quotes") if text else None


def _name(line: str) -> str:
    found = _KEY.match(line)
    return _short(found[1] if found is not None else line.strip())


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


_FAULTS: Final = (
    ("'\\t'", _tab),
    ("mapping values are not allowed", _indented),
    ("expected <block end>", _indented),
    ("could not find expected ':'", _keyless),
    ("expected ',' or '}'", _open("}")),
    ("expected ',' or ']'", _open("]")),
    ("expected the node content", _valueless),
    ("unexpected end of stream", _unclosed_quote),
    ("unknown escape character", _escape),
    ("that cannot start any token", _sign),
    ("expected alphabetic or numeric character", _sign),
)
"""Parts of what PyYAML says, each with what it stands for; the first that knows better speaks."""
