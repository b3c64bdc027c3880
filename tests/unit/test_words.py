"""One meaning for a word: no two classes of a product have one name, and none is one to look up."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.support.sources import statements

ROOT = Path(__file__).parents[2]
INSTEAD = {
    "octet": "byte",
    "octets": "bytes",
    "lane": "fastpath",
    "lanes": "fastpath",
    "foresee": "prefetch",
    "foresees": "prefetches",
    "foreseen": "prefetched",
    "spot": "hot entry",
    "spots": "hot entries",
    "wishes": "variant selector",
    "wording": "template",
    "barred": "limited",
    "heed": "on_leave",
    "companion": "listener",
    "landing": "outcome",
    "fewest": "min",
    "outlet": "sink",
    "clogged": "blocked",
    "pour": "stream",
    "pours": "streams",
}
"""Words of our own that the field has others for; docs/glossary.md has those that stay."""

INSTEAD_IN_NAMES = {
    "dense": "recompressed",
    "desk": "aggregator",
    "land": "resolve",
    "landed": "resolved",
    "ledger": "totals",
    "turn": "lock, iteration, round or batch",
    "turns": "locks, iterations, rounds or batches",
}
"""Words that text may use as everybody does, and that names of ours had other meanings for."""

PRODUCTS = (ROOT / "proxy" / "veneer", ROOT / "backend" / "etter")


def classes(files: Iterable[Path]) -> dict[str, list[str]]:
    """Where each class name is defined."""
    found = defaultdict(list)
    for file in files:
        for node in statements(file):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(f"{file}:{node.lineno}")
    return found


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda path: path.name)
def test_no_two_classes_have_one_name(product: Path) -> None:
    twice = {name: places for name, places in classes(product.rglob("*.py")).items() if len(places) > 1}
    assert not twice, "give one of each another name"


def test_two_classes_of_one_name_would_be_found(tmp_path: Path) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text("class Lease: ...\n", "utf-8")
    assert len(classes(tmp_path.rglob("*.py"))["Lease"]) == 2


def words(text: str) -> Iterator[str]:
    """The words that names and text are made of, in lower case."""
    return (word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text.replace("octet-stream", "")))


def named(file: Path) -> Iterator[tuple[int, str]]:
    """The names in a file, with their lines, and its own."""
    yield 0, file.stem
    for token in tokenize.generate_tokens(io.StringIO(file.read_text("utf-8")).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], token.string


def told(file: Path) -> Iterator[tuple[int, str]]:
    """The names, texts and comments of a file, with their lines."""
    kinds = (tokenize.NAME, tokenize.STRING, tokenize.COMMENT)
    for token in tokenize.generate_tokens(io.StringIO(file.read_text("utf-8")).readline):
        if token.type in kinds:
            yield token.start[0], token.string


def holding(product: Path, looked_for: Iterable[str]) -> Iterator[Path]:
    """The files that hold one of the words anywhere: few, and only those are worth taking apart."""
    for file in product.rglob("*.py"):
        if not {*words(file.stem), *words(file.read_text("utf-8"))}.isdisjoint(looked_for):
            yield file


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda path: path.name)
def test_nothing_is_called_by_a_word_that_the_field_has_another_for(product: Path) -> None:
    found = {
        f"{file.relative_to(ROOT)}:{line}: {word} -> {INSTEAD[word]}"
        for file in holding(product, INSTEAD)
        for line, text in told(file)
        for word in set(words(text)) & INSTEAD.keys()
    }
    assert not found


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda path: path.name)
def test_no_name_gives_a_word_a_meaning_of_its_own(product: Path) -> None:
    found = {
        f"{file.relative_to(ROOT)}:{line}: {word} -> {INSTEAD_IN_NAMES[word]}"
        for file in holding(product, INSTEAD_IN_NAMES)
        for line, text in named(file)
        for word in set(words(text)) & INSTEAD_IN_NAMES.keys()
    }
    assert not found


def test_such_a_word_would_be_found_in_names_alone(tmp_path: Path) -> None:
    file = tmp_path / "turn.py"
    file.write_text("class FreeTurn:\n    'It turns; take turns.'\n", "utf-8")
    assert [*holding(tmp_path, INSTEAD_IN_NAMES)] == [file]
    found = [word for _, text in named(file) for word in words(text) if word in INSTEAD_IN_NAMES]
    assert found == ["turn", "turn"]


def test_such_a_word_would_be_found_in_names_and_texts(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    file.write_text("MAX_OCTETS = 1  # octets\nclass HitLane:\n    'A Companion.'\n", "utf-8")
    assert [*holding(tmp_path, INSTEAD)] == [file]
    found = [word for _, text in told(file) for word in words(text) if word in INSTEAD]
    assert found == ["octets", "octets", "lane", "companion"]
