from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from enum import Enum
from typing import Any, Literal

import pytest

from veneer.core.rules import CacheRules
from veneer.policy import model, node_settings, schema, schema_cache, schema_node, schema_upstream
from veneer.policy.shape import Duration, Shape, Size, option
from veneer.policy.taken_over import taken, taken_over


class Word(Enum):
    ONE = "one"
    OTHER = "other"


class GivenShape(Shape):
    flag: bool = option(False, "")
    wait: Duration = option(1.0, "")
    room: Size | None = option(8, "")
    word: Literal["one", "other"] = option("one", "")
    names: list[str] = option([], "")
    text: str = option("", "")
    renamed: int = option(1, "")


@dataclass(frozen=True)
class GivenRules:
    flag: bool = False
    wait_s: float = 1.0
    room_bytes: int | None = 8
    word: Word = Word.ONE
    names: tuple[str, ...] = ()
    text: str = ""
    otherwise: int = 1


def test_flags_numbers_and_words_are_taken_and_nothing_else() -> None:
    said = {"flag": True, "wait": "2s", "room": None, "word": "other", "names": ["a"], "text": "b", "renamed": 3}
    shape = GivenShape.model_validate(said)
    assert taken_over(shape, GivenRules()) == GivenRules(flag=True, wait_s=2.0, room_bytes=None, word=Word.OTHER)
    assert taken_over(GivenShape(), GivenRules(text="kept", otherwise=4)) == GivenRules(text="kept", otherwise=4)


@pytest.mark.parametrize(
    ("shape", "rules"),
    [
        (schema.RouteShape, model.Route),
        (schema_cache.CacheShape, CacheRules),
        (schema_upstream.UpstreamShape, model.UpstreamSettings),
        (schema_node.LimitsShape, node_settings.SizeLimits),
        (schema_node.TimeoutsShape, node_settings.ClientTimeouts),
    ],
)
def test_a_key_and_the_member_that_takes_it_have_one_default(shape: type[Shape], rules: Any) -> None:
    found = taken(shape, rules)
    assert found
    defaults = {field.name: field.default for field in fields(rules)}
    for member, key in found:
        mine, theirs = defaults[member], shape.model_fields[key].default
        assert mine is not MISSING, f"{rules.__name__}.{member} needs a default: that of the key {key}"
        plain = mine.value if isinstance(mine, Enum) else mine
        assert (type(plain), plain) == (type(theirs), theirs), f"{rules.__name__}.{member} and the key {key}"
