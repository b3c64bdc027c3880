"""YAML to plain values that remember where they stood.

A small subset, on purpose: scalars are read by the YAML 1.2 core schema (so `on`, `off`, `yes` and `12:30` are text),
keys are text, duplicate keys, tags and merge keys are refused, and size, depth and what aliases expand to are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import yaml
from yaml import events

from veneer.policy.problems import ConfigError, PolicyError, SourcePosition
from veneer.policy.sources import MAX_CHARS, MissingValueError, Sources
from veneer.policy.syntax import fault

MAX_DEPTH = 32
MAX_NODES = 50_000

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]
KeyPath = tuple[str | int, ...]

_INT = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]{1,18}|[0-9]{1,18}(?:\.[0-9]{0,18})?)(?:[eE][-+]?[0-9]{1,2})?", re.ASCII)
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class YamlNode:
    """A value and its place; `value` has the value's nodes, by key or index, as `items` for mappings and lists."""

    at: SourcePosition
    kind: Literal["scalar", "list", "mapping"]
    scalar: str | int | float | bool | None = None
    items: tuple[YamlNode, ...] = ()
    keys: tuple[str, ...] = ()
    key_positions: tuple[SourcePosition, ...] = ()

    def plain(self) -> Plain:
        """The value without places."""
        if self.kind == "mapping":
            return {key: item.plain() for key, item in zip(self.keys, self.items, strict=True)}
        if self.kind == "list":
            return [item.plain() for item in self.items]
        return self.scalar

    def child(self, step: str | int) -> YamlNode | None:
        """The value under a key or at an index."""
        if self.kind == "mapping" and step in self.keys:
            return self.items[self.keys.index(str(step))]
        if self.kind == "list" and isinstance(step, int) and step < len(self.items):
            return self.items[step]
        return None


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file; `root` is None when it holds nothing."""

    name: str
    root: YamlNode | None

    def plain(self) -> Plain:
        """The whole content without places; an empty mapping when there is none."""
        value = None if self.root is None else self.root.plain()
        return {} if value is None else value

    def find(self, path: KeyPath) -> YamlNode | None:
        """The value at `path`, if there is one."""
        node = self.root
        for step in path:
            node = None if node is None else node.child(step)
        return node

    def locate(self, path: KeyPath, *, key: bool = False) -> SourcePosition:
        """The place of the value at `path`, or of its key; of the nearest enclosing value when there is none."""
        node, position = self.root, SourcePosition(1, 1)
        if node is None:
            return position
        position = node.at
        for index, step in enumerate(path):
            parent = node
            node = parent.child(step)
            if node is None:
                break
            position = node.at
            last = index == len(path) - 1
            if key and last and parent.kind == "mapping":
                position = parent.key_positions[parent.keys.index(str(step))]
        return position


def read_document(text: str, name: str, sources: Sources | None = None, *, own: bool = True) -> Document:
    """Parse YAML text, with variables filled in where there are `sources`. Raises PolicyError.

    What is not the policy's `own` file has its name in every place.
    """
    if len(text) > MAX_CHARS:
        raise PolicyError(name, [ConfigError(1, 1, "", f"the file is larger than {MAX_CHARS // 1024} KB")])
    try:
        return _Composer(name, yaml.parse(text, Loader=yaml.SafeLoader), sources, "" if own else name).document()
    except yaml.MarkedYAMLError as error:
        opened = None if error.context_mark is None else _position(error.context_mark)
        words = " ".join(part for part in (error.context, error.problem) if part)
        at, message, hint = fault(words, _position(error.problem_mark or error.context_mark), opened, text)
        raise PolicyError(name, [ConfigError(at.line, at.column, "", message, hint)]) from None
    except yaml.YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise PolicyError(name, [ConfigError(line, 1, "", f"not YAML: {' '.join(str(error).split())[:200]}")]) from None


def show_path(path: KeyPath) -> str:
    """A key path for people: routes[2].cache.ttl."""
    shown = ""
    for step in path:
        shown += f"[{step}]" if isinstance(step, int) else f".{step}" if shown else step
    return shown


@dataclass(slots=True)
class _Composer:
    name: str
    stream: Iterator[events.Event]
    sources: Sources | None
    file: str
    problems: list[ConfigError] = field(default_factory=list)
    anchors: dict[str, tuple[YamlNode, int]] = field(default_factory=dict)
    nodes: int = 0

    def document(self) -> Document:
        root: YamlNode | None = None
        for event in self.stream:
            if isinstance(event, (events.StreamStartEvent, events.DocumentEndEvent, events.StreamEndEvent)):
                continue
            if isinstance(event, events.DocumentStartEvent):
                if root is not None:
                    raise self._fatal(event, "", "one file holds one document", 'remove the second "---"')
                continue
            root = self._node(event, ())
        if self.problems:
            raise PolicyError(self.name, self.problems)
        if root is not None and root.kind == "scalar" and root.scalar is None:
            root = None
        return Document(self.name, root)

    def _node(self, event: events.Event, path: KeyPath) -> YamlNode:
        before = self.nodes
        self._count(event, path, 1)
        if isinstance(event, events.AliasEvent):
            return self._alias(event, path)
        if not isinstance(event, events.NodeEvent) or len(path) > MAX_DEPTH:
            raise self._fatal(event, show_path(path)[:120], f"nested deeper than {MAX_DEPTH} levels")
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            self._problem(self._position(event.start_mark), path, f'the tag "{tag}" has no meaning here')
        if isinstance(event, events.ScalarEvent):
            node = YamlNode(self._position(event.start_mark), "scalar", self._scalar(event, path))
        elif isinstance(event, events.SequenceStartEvent):
            node = YamlNode(self._position(event.start_mark), "list", items=tuple(self._items(path)))
        else:
            node = self._mapping(event, path)
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, self.nodes - before)
        return node

    def _position(self, found: _Place | None) -> SourcePosition:
        return replace(_position(found), file=self.file) if self.file else _position(found)

    def _scalar(self, event: events.ScalarEvent, path: KeyPath) -> str | int | float | bool | None:
        text: str = event.value
        if self.sources is not None and path[-1:] != ("?",):
            try:
                text = self.sources.filled(text)
            except MissingValueError as error:
                at = self._position(event.start_mark)
                missing = ConfigError(at.line, at.column, show_path(path), str(error), error.suggestion, at.file)
                self.sources.problems.append(missing)
        return text if event.style is not None else _scalar(text)

    def _items(self, path: KeyPath) -> Iterator[YamlNode]:
        index = 0
        while not isinstance(event := next(self.stream), events.SequenceEndEvent):
            yield self._node(event, (*path, index))
            index += 1

    def _mapping(self, start: events.NodeEvent, path: KeyPath) -> YamlNode:
        found: dict[str, tuple[SourcePosition, YamlNode]] = {}
        while not isinstance(event := next(self.stream), events.MappingEndEvent):
            key_node = self._node(event, (*path, "?"))
            key = key_node.scalar if isinstance(event, events.ScalarEvent) else None
            if isinstance(event, events.ScalarEvent) and not isinstance(key, str):
                key = event.value
            value = self._node(next(self.stream), (*path, str(key)))
            if key is None:
                self._problem(key_node.at, path, "a key must be a word, not a list or a mapping")
            elif key == "<<":
                self._problem(key_node.at, path, 'merge keys ("<<") are not supported', "use `defaults:` instead")
            elif str(key) in found:
                first = found[str(key)][0].line
                self._problem(key_node.at, (*path, str(key)), f"given twice; the first is on line {first}")
            else:
                found[str(key)] = (key_node.at, value)
        positions = tuple(mark for mark, _ in found.values())
        values: Sequence[YamlNode] = [node for _, node in found.values()]
        return YamlNode(self._position(start.start_mark), "mapping", None, tuple(values), tuple(found), positions)

    def _alias(self, event: events.AliasEvent, path: KeyPath) -> YamlNode:
        if event.anchor not in self.anchors:
            raise self._fatal(event, show_path(path), f'"*{event.anchor}" is not anchored before this place')
        node, size = self.anchors[event.anchor]
        self._count(event, path, size)
        return node

    def _count(self, event: events.Event, path: KeyPath, more: int) -> None:
        self.nodes += more
        if self.nodes > MAX_NODES:
            raise self._fatal(event, show_path(path)[:120], f"more than {MAX_NODES} values, aliases expanded")

    def _problem(self, position: SourcePosition, path: KeyPath, message: str, suggestion: str | None = None) -> None:
        error = ConfigError(position.line, position.column, show_path(path), message, suggestion, position.file)
        self.problems.append(error)

    def _fatal(self, event: events.Event, key: str, message: str, suggestion: str | None = None) -> PolicyError:
        position = self._position(event.start_mark)
        error = ConfigError(position.line, position.column, key, message, suggestion, position.file)
        return PolicyError(self.name, [*self.problems, error])


class _Place(Protocol):
    line: int
    column: int


def _position(found: _Place | None) -> SourcePosition:
    if found is None:
        return SourcePosition(1, 1)
    return SourcePosition(found.line + 1, found.column + 1)


def _scalar(text: str) -> str | int | float | bool | None:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
