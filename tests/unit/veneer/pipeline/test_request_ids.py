"""Request IDs: what a client sends is taken only where it is harmless; what is made here is never made twice."""

import pytest

from veneer.pipeline.request_ids import MAX_LENGTH, RequestIds, accepted


@pytest.mark.parametrize("text", ["a", "7f3c-44", "req_1.2:3/4+5=6@7", "x" * MAX_LENGTH])
def test_a_harmless_id_is_taken(text: str) -> None:
    assert accepted(text.encode("ascii"))
    assert RequestIds().of(text) == text


@pytest.mark.parametrize("text", [None, "", "x" * (MAX_LENGTH + 1), "a b", 'a"b', "a\\b", "\xfc", "a\tb", "a;b"])
def test_any_other_is_replaced(text: str | None) -> None:
    assert text is None or not accepted(text.encode("latin-1"))
    assert RequestIds().of(text) not in {text, ""}


def test_ids_are_never_made_twice() -> None:
    one, other = RequestIds(), RequestIds()
    made = [ids.make() for ids in (one, other) for _ in range(1000)]
    assert len(set(made)) == len(made)
    assert all(accepted(text.encode("ascii")) for text in made)
