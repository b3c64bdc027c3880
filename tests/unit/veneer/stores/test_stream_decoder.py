"""What XREAD brings, sorted; and what nobody should have put there."""

from __future__ import annotations

import pytest

from veneer.core.invalidation import Invalidation
from veneer.redis.keys import LogKeys
from veneer.redis.script import Reply
from veneer.stores.events import LogEvent, ReplyError, encode_event
from veneer.stores.stream_decoder import Acknowledgement, Notice, ReadBatch, StreamDecoder

KEYS = LogKeys("v")
X = Invalidation(tags=("x",))


def item(place: str, **fields: bytes) -> Reply:
    return [place.encode(), [part for name, value in fields.items() for part in (name.encode(), value)]]


def test_the_three_streams_are_told_apart_and_the_places_kept() -> None:
    decoder = StreamDecoder(KEYS, "me")
    batch = decoder.decode_batch(
        [
            [b"{v}:log", [item("7-3", e=encode_event(X), w=b"you")]],
            [b"{v}:in:me", [item("5-0", n=b"you", p=b"7-2")]],
            [b"{v}:notices", [item("6-0", n=b"you", k=b"key"), item("6-1", n=b"me", k=b"mine"), item("6-2", t=b"t+")]],
        ]
    )
    assert batch.events == [LogEvent(7, 3, X, "you")]
    assert batch.acknowledgements == [Acknowledgement("you", 7, 2)]
    assert batch.notices == [Notice("you", "key"), Notice("", "t+", released=True)]
    assert (decoder.inbox_at, decoder.notices_at) == ("5-0", "6-2")


def test_events_that_are_known_are_left_out() -> None:
    events = [item(place, e=encode_event(X), w=b"me") for place in ("6-9", "7-2", "7-3", "8-1")]
    batch = StreamDecoder(KEYS, "me").decode_batch([[b"{v}:log", events]], (7, 2))
    assert [(event.epoch_ms, event.seq) for event in batch.events] == [(6, 9), (7, 3), (8, 1)]


def test_no_news_is_nothing() -> None:
    assert StreamDecoder(KEYS, "me").decode_batch(None) == ReadBatch()


def test_an_acknowledgement_that_makes_no_sense_is_passed_over() -> None:
    decoder = StreamDecoder(KEYS, "me")
    batch = decoder.decode_batch([[b"{v}:in:me", [item("5-0", n=b"you", p=b"7"), item("5-1", n=b"you"), item("5-2")]]])
    assert batch == ReadBatch()
    assert decoder.inbox_at == "5-2"


def test_an_event_that_makes_no_sense_is_everything() -> None:
    batch = StreamDecoder(KEYS, "me").decode_batch([[b"{v}:log", [item("7-3", e=b"\xc1")]]])
    assert batch.events == [LogEvent(7, 3, Invalidation(everything=True), "")]


@pytest.mark.parametrize("reply", [[b"x"], [[b"{v}:log"]], [[b"{v}:log", [b"1-1"]]], [[b"{v}:log", [[b"1-1", 3]]]]])
def test_what_is_no_answer_of_xread_is_an_error(reply: Reply) -> None:
    with pytest.raises(ReplyError):
        StreamDecoder(KEYS, "me").decode_batch(reply)
