from __future__ import annotations

import os

from proxy.app.observe.lines import json_renderer
from proxy.app.observe.observer import Observer
from proxy.app.observe.writer import LineWriter
from proxy.pipeline.exchange import ExchangeRecord
from tests.unit.proxy.app.observe.records import record


def test_an_exchange_is_counted_written_and_shown() -> None:
    reader, writer = os.pipe()
    lines = LineWriter(writer, json_renderer())
    seen: list[ExchangeRecord] = []
    observer = Observer(lines, [seen.append])
    observer.begin()
    observer.finish(record(request_id="abc"))
    lines.close()
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        assert b'"request_id":"abc"' in file.read()
    assert [one.request_id for one in seen] == ["abc"]
    assert observer.counts.routes[""].requests == {"GET": [0, 0, 1, 0, 0, 0]}
