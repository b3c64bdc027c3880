"""One document of a policy file and those it includes, with secrets in place of `{file: ...}`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from veneer.policy.document import Document, KeyPath, YamlNode, read_document, show_path
from veneer.policy.problems import ConfigError, PolicyError, SourcePosition
from veneer.policy.sources import MissingValueError, Sources

MAX_DEPTH: Final = 4
MAX_FILES: Final = 256
MAPPINGS: Final = ("upstreams", "rate_limits")
LISTS: Final = ("routes", "warm", "tests")
"""What an included file may hold."""
_AS_FILE: Final = "write {file: /run/secrets/name}"


def read_whole(text: str, name: str, sources: Sources, takes_mapping: Callable[[KeyPath], bool]) -> Document:
    """The document of a text with what it includes. Raises PolicyError.

    `takes_mapping` tells where `{file: ...}` is a mapping of the policy's own.
    """
    problems: list[ConfigError] = []
    document = read_document(text, name, sources)
    root = document.root
    if root is not None and root.child("include") is not None:
        root = _including(root, name, (Path(name).resolve(),), sources, problems)
    if root is not None and not problems:
        root = _with_secrets(root, (), sources, takes_mapping)
    if problems:
        raise PolicyError(name, problems)
    return Document(name, root)


def _including(
    root: YamlNode, name: str, chain: tuple[Path, ...], sources: Sources, problems: list[ConfigError]
) -> YamlNode:
    """The mapping with what it includes: its own routes come behind those of the included files."""
    listed = root.child("include")
    rest = {key: (at, node) for key, at, node in zip(root.keys, root.key_positions, root.items, strict=True)}
    rest.pop("include", None)
    for index, node in enumerate(() if listed is None else listed.items):
        other = _included(node, index, name, chain, sources, problems)
        for key, at, item in () if other is None else zip(other.keys, other.key_positions, other.items, strict=True):
            mine = rest.get(key)
            if key == "version" or (item.kind == "scalar" and item.scalar is None):
                continue
            if key not in MAPPINGS + LISTS:
                problems.append(_at(at, key, "only the file that includes this one may say this", _may_hold()))
            elif mine is None or mine[1].kind != item.kind:
                rest[key] = (at, item) if mine is None else mine
            elif key in LISTS:
                before = mine[1]
                rest[key] = (mine[0], replace(before, items=_merged(key, root, before, item)))
            else:
                rest[key] = (mine[0], _joined(key, mine[1], item, problems))
    if listed is not None and listed.kind != "list":
        problems.append(_at(listed.at, "include", "must be a list, as in [routes.yaml]", None))
    positions, items = [at for at, _ in rest.values()], [node for _, node in rest.values()]
    return replace(root, keys=tuple(rest), key_positions=tuple(positions), items=tuple(items))


def _merged(key: str, root: YamlNode, before: YamlNode, more: YamlNode) -> tuple[YamlNode, ...]:
    """The items of included files in the order of `include`, and then the file's own."""
    own = root.child(key)
    count = 0 if own is None else len(own.items)
    earlier = before.items[: len(before.items) - count]
    return (*earlier, *more.items, *before.items[len(before.items) - count :])


def _joined(key: str, mine: YamlNode, more: YamlNode, problems: list[ConfigError]) -> YamlNode:
    """Two mappings by name as one."""
    for name, at in zip(more.keys, more.key_positions, strict=True):
        if name in mine.keys:
            first = mine.key_positions[mine.keys.index(name)]
            where = (
                f"{first.file}:{first.line}" if first.file else f"line {first.line} of the file that includes this one"
            )
            problems.append(_at(at, f"{key}.{name}", f"given twice; the first is on {where}", "rename one"))
    return replace(
        mine,
        keys=mine.keys + more.keys,
        items=mine.items + more.items,
        key_positions=mine.key_positions + more.key_positions,
    )


def _included(
    node: YamlNode, index: int, name: str, chain: tuple[Path, ...], sources: Sources, problems: list[ConfigError]
) -> YamlNode | None:
    """The mapping of an included file; None where there is none."""
    key = f"include[{index}]"
    if not isinstance(node.scalar, str) or not node.scalar:
        problems.append(_at(node.at, key, "must be the name of a file", "write routes.yaml"))
        return None
    path = (Path(name).parent if len(chain) > 1 else sources.folder) / node.scalar
    resolved = path.resolve()
    if resolved in chain:
        problems.append(_at(node.at, key, f'"{node.scalar}" includes itself, at the end', "remove it"))
        return None
    if len(chain) > MAX_DEPTH or len(sources.texts) >= MAX_FILES:
        why = f"more than {MAX_DEPTH} files deep" if len(chain) > MAX_DEPTH else f"more than {MAX_FILES} files"
        problems.append(_at(node.at, key, f'"{node.scalar}" is {why}', "include it from a file above"))
        return None
    try:
        root = read_document(sources.included(path), str(path), sources, own=False).root
    except PolicyError as error:
        if not any(problem.line for problem in error.problems):
            problems.append(
                _at(node.at, key, f'"{node.scalar}" {error.problems[0].message}', "name a file beside this one")
            )
        else:
            problems.extend(replace(problem, file=problem.file or str(path)) for problem in error.problems)
        return None
    if root is not None and root.kind != "mapping":
        problems.append(_at(root.at, "", "the file must be a mapping", "begin with `routes:`"))
        return None
    return None if root is None else _including(root, str(path), (*chain, resolved), sources, problems)


def _with_secrets(
    node: YamlNode,
    path: KeyPath,
    sources: Sources,
    takes_mapping: Callable[[KeyPath], bool],
) -> YamlNode:
    """The value with the content of a file in place of each `{file: PATH}`; what is missing is noted in `sources`."""
    if node.kind == "mapping" and node.keys == ("file",) and path and not takes_mapping(path):
        named = node.items[0].scalar
        if not isinstance(named, str):
            sources.problems.append(_at(node.at, show_path(path), "must be the path of a file", _AS_FILE))
            return node
        try:
            return YamlNode(node.at, "scalar", sources.secret(named))
        except MissingValueError as error:
            sources.problems.append(_at(node.at, show_path(path), str(error), error.suggestion))
            return node
    steps: Sequence[str | int] = node.keys if node.kind == "mapping" else range(len(node.items))
    items = tuple(
        _with_secrets(item, (*path, step), sources, takes_mapping) for step, item in zip(steps, node.items, strict=True)
    )
    return node if all(new is old for new, old in zip(items, node.items, strict=True)) else replace(node, items=items)


def _may_hold() -> str:
    return f"included files hold {', '.join((*MAPPINGS, *LISTS))} and include"


def _at(at: SourcePosition, key: str, message: str, suggestion: str | None) -> ConfigError:
    return ConfigError(at.line, at.column, key, message, suggestion, at.file)
