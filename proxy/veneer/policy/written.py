"""The values of a policy in force as its file would say them, each with who said it: for operators."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from veneer.core.redact import is_secret_name
from veneer.policy.build import DEFAULT_UPSTREAM
from veneer.policy.decode import nested_shape
from veneer.policy.document import Document, KeyPath, Plain, YamlNode, show_path
from veneer.policy.overlay import ENVIRONMENT_LIMIT
from veneer.policy.problems import without_secrets
from veneer.policy.reference import default_text
from veneer.policy.schema import PolicyShape, RouteOptions, RouteShape
from veneer.policy.settings import VARIABLES, Overrides
from veneer.policy.told_values import Origin, PolicyValue
from veneer.policy.units import format_duration, format_size

HIDDEN: Final = "(not shown)"
MOST_CHARS: Final = 500
"""A longer value is cut: a list of thousands is better read in the file."""

_LEFT_OUT: Final = ("tests", "include")
"""What is of no effect on requests, or already taken up."""
_OPTIONS: Final = {"upstream_url": ("--upstream", "VENEER_UPSTREAM"), "redis_url": ("--redis", "VENEER_REDIS")}

_USERINFO: Final = re.compile(r"(://)[^\s\"']*@")
_PAIR: Final = re.compile(r"(?i)\b((?:password|passwd|pwd|secret|token)\s*=\s*)('[^']*'|[^\s&;,\"']+)")
_KEY: Final = re.compile(r"(?i)(?:^|[-_])(?:key|cookie)$")
_FIELDS: Final = (
    ("request", "set"), ("request", "add"), ("response", "set"), ("response", "add"), ("query", "defaults"),
    ("match", "headers"), ("match", "cookies"), ("match", "query"),
)  # fmt: skip
"""Mappings whose keys are names of fields, cookies and parameters: they tell whether a value is a secret."""


@dataclass(frozen=True, slots=True)
class WrittenPolicy:
    """What a policy was made of. `secrets` are values that nobody is shown."""

    document: Document
    overrides: Overrides
    environment: Mapping[str, str]
    secrets: tuple[str, ...]

    def values(self, route: str | None = None) -> Iterator[PolicyValue]:
        """Every value, as `told_values.Values`."""
        replaced = dict(self._replaced())
        for found in self._all() if route is None else self._of_route(route):
            yield replaced.pop(found.key, found)
        if route is None:
            yield from replaced.values()

    def _all(self) -> Iterator[PolicyValue]:
        root = self.document.root
        for key, field in _fields(PolicyShape):
            if key == "routes":
                for index, node in enumerate(_items(root, key)):
                    yield from self._section(RouteShape, (key, index), node, said_only=True)
            elif key not in _LEFT_OUT:
                yield from self._field(field, (key,), _child(root, key), said_only=False)

    def _of_route(self, name: str) -> Iterator[PolicyValue]:
        """All that holds on the routes of this name, from the route, from `defaults` and by default."""
        lower = {found.key.removeprefix("defaults."): found for found in self._defaults()}
        for index, node in enumerate(_items(self.document.root, "routes")):
            named = _child(node, "name")
            if named is None or named.scalar != name:
                continue
            prefix = f"routes[{index}]."
            for found in self._section(RouteShape, ("routes", index), node, said_only=False):
                below = lower.get(found.key.removeprefix(prefix))
                weaker = below if below is not None and below.origin is not Origin.DEFAULT else None
                yield found if found.origin is not Origin.DEFAULT or weaker is None else weaker._replace(key=found.key)

    def _defaults(self) -> Iterator[PolicyValue]:
        replaced = dict(self._replaced())
        node = _child(self.document.root, "defaults")
        for found in self._section(RouteOptions, ("defaults",), node, said_only=False):
            yield replaced.get(found.key, found)

    def _section(
        self, shape: type[BaseModel], path: KeyPath, node: YamlNode | None, *, said_only: bool
    ) -> Iterator[PolicyValue]:
        for key, field in _fields(shape):
            yield from self._field(field, (*path, key), _child(node, key), said_only=said_only)

    def _field(
        self, field: FieldInfo, path: KeyPath, node: YamlNode | None, *, said_only: bool
    ) -> Iterator[PolicyValue]:
        """The values at and below one key."""
        inner = nested_shape(field.annotation)
        if inner is None or (node is None and field.default_factory is None) or (node and node.kind == "scalar"):
            yield from self._leaf(field, path, node, said_only=said_only)
        elif node is not None and (node.kind == "list" or _is_mapping_by_name(field.annotation)):
            steps: Sequence[str | int] = node.keys if node.kind == "mapping" else range(len(node.items))
            for step, item in zip(steps, node.items, strict=True):
                if item.kind == "mapping":
                    yield from self._section(inner, (*path, step), item, said_only=said_only)
                else:
                    yield self._said((*path, step), item)
        else:
            yield from self._section(inner, path, node, said_only=said_only)

    def _leaf(
        self, field: FieldInfo, path: KeyPath, node: YamlNode | None, *, said_only: bool
    ) -> Iterator[PolicyValue]:
        if node is not None:
            yield self._said(path, node)
        elif not said_only:
            yield PolicyValue(show_path(path), default_text(field), Origin.DEFAULT)

    def _said(self, path: KeyPath, node: YamlNode) -> PolicyValue:
        return PolicyValue(
            show_path(path), self._shown(path, node.plain()), Origin.FILE, f"{node.at.file}:{node.at.line}"
        )

    def _shown(self, path: KeyPath, value: Plain) -> str:
        """The value without secrets: those that are known, and what is one by its name or its form."""
        if isinstance(value, dict):
            pairs = (f"{key}: {self._shown((*path, key), item)}" for key, item in value.items())
            return _cut("{" + ", ".join(pairs) + "}")
        if _is_secret(path):
            return HIDDEN
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return _cut(without_secrets(_PAIR.sub(r"\1" + HIDDEN, _USERINFO.sub(rf"\1{HIDDEN}@", text)), self.secrets))

    def _replaced(self) -> Iterator[tuple[str, PolicyValue]]:
        """What flags and the environment say, by the key that it replaces."""
        said = self.overrides
        limits = _child(_child(self.document.root, "defaults"), "rate_limit")
        named = None if limits is None else limits.scalar if limits.kind == "scalar" else limits.items[0].scalar
        first = next(iter(_keys(_child(self.document.root, "upstreams"))), DEFAULT_UPSTREAM)
        rate = f"rate_limits.{named or ENVIRONMENT_LIMIT}.rate"
        window_s, quota = said.rate_window_s, said.rate_quota
        shown = {
            "upstream_url": (f"upstreams.{first}.url", said.upstream_url),
            "redis_url": ("stores.redis.url", said.redis_url),
            "ttl_s": ("defaults.cache.ttl", None if said.ttl_s is None else format_duration(said.ttl_s)),
            "compress_min_size_bytes": ("defaults.compress.min_size", _size(said.compress_min_size_bytes)),
            "compress_level": ("defaults.compress.level", said.compress_level),
            "use_brotli": ("USE_BROTLI", None if said.use_brotli is None else str(said.use_brotli).lower()),
            "rate_quota": (f"{rate} (quota)", quota),
            "rate_window_s": (f"{rate} (window)", None if window_s is None else format_duration(window_s)),
            "redis_max_connections": ("stores.redis.max_connections", said.redis_max_connections),
        }
        for field, (key, value) in shown.items():
            if value is not None:
                yield key, PolicyValue(key, self._shown((key,), str(value)), *self._who(field, str(value)))

    def _who(self, field: str, value: str) -> tuple[Origin, str]:
        option, *variables = _OPTIONS.get(field, ()) or ("",)
        variables += [one.name for one in VARIABLES if one.field == field]
        for variable in variables:
            text = self.environment.get(variable, "").strip()
            if text and (not option or text == value):
                return Origin.ENVIRONMENT, variable
        return Origin.OPTION, option


def _fields(shape: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    return ((field.alias or name, field) for name, field in shape.model_fields.items())


def _child(node: YamlNode | None, key: str) -> YamlNode | None:
    return None if node is None else node.child(key)


def _keys(node: YamlNode | None) -> tuple[str, ...]:
    return () if node is None else node.keys


def _items(node: YamlNode | None, key: str) -> tuple[YamlNode, ...]:
    found = _child(node, key)
    return () if found is None else found.items


def _is_mapping_by_name(annotation: object) -> bool:
    return any(get_origin(option) is dict for option in (annotation, *get_args(annotation)))


def _is_secret(path: KeyPath) -> bool:
    """Whether what stands there is a secret by its name. Files and variables that hold one are named openly."""
    if path[-1] == "dsn":
        return True
    return path[-3:-1] in _FIELDS and _names_secret(str(path[-1]))


def _names_secret(name: str) -> bool:
    return is_secret_name(name) or _KEY.search(name) is not None


def _size(count: int | None) -> str | None:
    return None if count is None else format_size(count)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]}... ({len(text)} characters)"
