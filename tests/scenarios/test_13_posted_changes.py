"""Events of changes that are posted to the admin listener, and what clients see of them."""

from __future__ import annotations

import asyncio
import json

from tests.scenarios.conftest import Stage
from tests.scenarios.dialogue import Dialogue
from tests.support.client import Answer, fetch

POLICIES = """\
version: 1
changes:
  jobs: {posted: {tags: "room:*"}}
  shop: {posted: {}, tables: {rooms: ["room:{id}"]}}
routes:
  - name: rooms
    match: {path: "/{room}/shown"}
    cache: {ttl: 10m, tags: ["room:{room}"]}
"""


async def post(stage: Stage, source: str, body: object, media_type: str = "application/json") -> Answer:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"{stage.proxy.admin_url}/changes/events/{source}"
    return await asyncio.to_thread(fetch, url, "POST", headers={"Content-Type": media_type}, body=text)


async def stored(talk: Dialogue) -> str:
    """A response that is stored, and asked for often enough for the fast path; its room."""
    talk.answers("200\n\nold", "200\n\nnew")
    assert [(await talk.ask("GET /shown")).body for _ in range(5)] == [b"old"] * 5
    return talk.at("")[1:]


async def test_a_plain_event_invalidates_before_it_is_answered(talk: Dialogue, stage: Stage) -> None:
    room = await stored(talk)
    answer = await post(stage, "jobs", {"tags": [f"room:{room}"], "position": "7"})
    told = json.loads(answer.body)
    assert (answer.status, told["events"], told["tags"], told["position"], told["gaps"]) == (200, 1, 1, "7", [])
    assert (await talk.ask("GET /shown")).body == b"new"


async def test_a_change_of_a_row_invalidates_the_tags_of_its_table(talk: Dialogue, stage: Stage) -> None:
    room = await stored(talk)
    source = {"connector": "mysql", "db": "public", "table": "rooms", "ts_ms": 5}
    event = {"op": "u", "before": {"id": room}, "after": {"id": "other"}, "source": source}
    assert (await post(stage, "shop", [event])).status == 200
    assert (await talk.ask("GET /shown")).body == b"new"


async def test_an_event_that_leaves_open_what_was_changed_means_everything(talk: Dialogue, stage: Stage) -> None:
    await stored(talk)
    answer = await post(stage, "shop", {"ddl": "ALTER TABLE rooms", "source": {}})
    assert json.loads(answer.body)["gaps"] == ["a schema was changed"]
    assert (await talk.ask("GET /shown")).body == b"new"


async def test_of_a_body_with_an_event_that_is_wrong_nothing_is_taken(talk: Dialogue, stage: Stage) -> None:
    room = await stored(talk)
    good = json.dumps({"tags": [f"room:{room}"]}).encode()
    answer = await post(stage, "jobs", good + b'\n{"tag": "x"}', "application/x-ndjson")
    assert answer.status == 400
    assert b"line 2: 'tag' is unknown" in answer.body
    assert (await talk.ask("GET /shown")).body == b"old"
    talk.forget_answers()


async def test_another_source_and_another_type_are_refused(talk: Dialogue, stage: Stage) -> None:
    assert (await post(stage, "other", {"tags": []})).status == 404
    assert (await post(stage, "jobs", {"tags": []}, "text/plain")).status == 415
    assert (await post(stage, "jobs", [])).status == 200
