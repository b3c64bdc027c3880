"""One connection's side of the hit lane."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from proxy.app.lane.scan import TEXT, Shape, Values
from proxy.app.lane.spots import LARGE_BYTES, Form, Spot
from proxy.app.request_ids import accepted
from proxy.core.rate import RateLimit, RateVerdict, limit_numbers
from proxy.limits.keys import client_key

if TYPE_CHECKING:
    from proxy.app.lane.hits import HitLane

Write = Callable[[bytes], None]

_ID = b"\r\nX-Request-ID: "
_TOOK = tuple(b"\r\nX-Response-Time: 0.%03dms\r\n" % us for us in range(1000))


class Conversation:
    """Answers on one connection. It remembers the shape of the client's last head: the next has the same."""

    __slots__ = ("_address", "_keys", "_lane", "_policy", "_shape", "_write")

    def __init__(self, lane: HitLane, address: str, write: Write) -> None:
        self._lane = lane
        self._address = address
        self._write = write
        self._policy = lane.policy
        self._shape: Shape | None = None
        self._keys: dict[str, str] = {}

    def answer(self, data: bytes) -> bool:
        """Answer and record the one request in `data`; False, and nothing done, when it has to take the normal way."""
        lane = self._lane
        read = self._read(data)
        if read is None:
            return False
        shape, values = read
        place = shape.host + values[0]
        spot = lane.spots.get(place)
        if spot is None:
            return self._bar(shape, values, place)
        now_s = lane.monotonic()
        form = spot.form_for(shape.wishes if shape.unconditional else shape.wishes_in(values))
        if form is None or now_s >= spot.fresh_until or not lane.log.vouches(spot.entry, now_s):
            return False
        request_id = self._request_id(shape, values)
        if request_id is None:
            return False
        limit = spot.limit
        if limit is None:
            rate = None
        else:
            rate = lane.rates.admit_now(self._rate_key(spot.counted_as, limit), limit, now_s)
            if rate is None:
                return False
        if rate is None or rate.allowed:
            self._serve(spot, form, shape, values[0], request_id, now_s, rate)
        else:
            self._refuse(spot.route, shape, values[0], request_id, now_s, rate)
        return True

    def _read(self, data: bytes) -> tuple[Shape, Values] | None:
        """The request's shape and values; None when it is not plain."""
        lane = self._lane
        if lane.policies.current is not lane.policy:
            lane.renew()
        if self._policy is not lane.policy:
            self._policy, self._shape = lane.policy, None
            self._keys.clear()
        shape = self._shape
        if shape is not None and len(data) <= lane.scanner.max_bytes:
            values = shape.values(data)
            if values is not None:
                return shape, values
        read = lane.scanner.scan(data)
        if read is not None:
            self._shape = read[0]
        return read

    def _request_id(self, shape: Shape, values: Values) -> bytes | None:
        """The client's own ID or a new one; None where the request is not plain."""
        if not shape.request_id:
            return self._lane.ids.make().encode("ascii")
        given = values[shape.request_id]
        if accepted(given):
            return given
        if given.translate(None, TEXT):
            return None
        return self._lane.ids.of(given.strip().decode("ascii")).encode("ascii")

    def _bar(self, shape: Shape, values: Values, place: bytes) -> bool:
        """Refuse a request that the pipeline would refuse, for a target of which no more is known than its limit."""
        lane = self._lane
        barred = lane.barred.get((shape.method, place))
        if barred is None:
            return False
        now_s = lane.monotonic()
        rate = lane.rates.refusal_now(self._rate_key(barred.counted_as, barred.limit), barred.limit, now_s)
        request_id = None if rate is None else self._request_id(shape, values)
        if rate is None or request_id is None:
            return False
        self._refuse(barred.route, shape, values[0], request_id, now_s, rate)
        return True

    def _rate_key(self, counted_as: str | None, limit: RateLimit) -> str:
        if counted_as is not None:
            return client_key(limit, counted_as)
        key = self._keys.get(limit.key)
        if key is None:
            key = self._keys[limit.key] = client_key(limit, self._address)
        return key

    def _serve(
        self,
        spot: Spot,
        form: Form,
        shape: Shape,
        target: bytes,
        request_id: bytes,
        now_s: float,
        rate: RateVerdict | None,
    ) -> None:
        if now_s >= spot.texts_until:
            spot.renew_texts(now_s)
        if spot.mark is not None:
            spot.mark.used = True
        body, lane = form.body, self._lane
        size = len(body)
        remaining, limits = None, b""
        if rate is not None:
            remaining, wait_s = limit_numbers(rate)
            limits = b"%b%d;t=%d\r\n" % (spot.limit_lines, remaining, wait_s)
        took_us = round((lane.monotonic() - now_s) * 1e6)
        self._write(
            b"".join(
                (
                    form.lead,
                    form.own,
                    form.before_age,
                    spot.age,
                    form.before_ttl,
                    spot.ttl,
                    _ID,
                    request_id,
                    _TOOK[took_us] if took_us < 1000 else took_line(took_us),
                    limits,
                    form.tail,
                    body if size < LARGE_BYTES else b"",
                )
            )
        )
        if size >= LARGE_BYTES:
            self._write(body)
        lane.note(
            (
                form.facts,
                now_s,
                target,
                request_id,
                self._address,
                took_us,
                size,
                form.identity_bytes,
                remaining,
                shape.user_agent,
            )
        )

    def _refuse(
        self, route: str, shape: Shape, target: bytes, request_id: bytes, now_s: float, rate: RateVerdict
    ) -> None:
        lane = self._lane
        facts = lane.refusal_facts(shape.method, route)
        pieces = lane.refusals.pieces(facts, target.decode("ascii"), len(request_id), rate)
        took_us = round((lane.monotonic() - now_s) * 1e6)
        body = b"" if pieces.body is None else request_id.join(pieces.body)
        self._write(b"".join((pieces.before_id, request_id, took_line(took_us), pieces.after_time, body)))
        lane.note(
            (
                facts,
                now_s,
                target,
                request_id,
                self._address,
                took_us,
                len(body),
                0,
                rate.remaining,
                shape.user_agent,
            )
        )


def took_line(took_us: int) -> bytes:
    """X-Response-Time between two line ends."""
    return _TOOK[took_us] if took_us < 1000 else b"\r\nX-Response-Time: %d.%03dms\r\n" % divmod(took_us, 1000)
