"""Two users of a Matrix server: a room, messages, and long polls that end with a message or after 30 seconds."""

import json
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request

URL = sys.argv[1]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
seen: list[object] = []


def ask(method: str, path: str, body: object = None, token: str = "") -> tuple[int, dict]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{URL}/_matrix/client/v3/{path}", data, method=method)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with opener.open(request, timeout=90) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, {}


def registered(name: str) -> str:
    body = {"username": name, "password": f"password of {name}", "auth": {"type": "m.login.dummy"}}
    return ask("POST", "register", body)[1]["access_token"]


def sync(token: str, since: str, timeout_ms: int) -> tuple[int, str, list[str]]:
    begin = f"since={since}&" if since else ""
    status, told = ask("GET", f"sync?{begin}timeout={timeout_ms}", token=token)
    rooms = told.get("rooms", {}).get("join", {}).values()
    events = [event for room in rooms for event in room["timeline"]["events"]]
    said = [event["content"].get("body", "") for event in events if event["type"] == "m.room.message"]
    return status, told.get("next_batch", ""), said


def say(token: str, room: str, number: int, text: str) -> int:
    path = f"rooms/{urllib.parse.quote(room, safe='')}/send/m.room.message/txn{number}"
    return ask("PUT", path, {"msgtype": "m.text", "body": text}, token)[0]


ann, bob = registered("ann"), registered("bob")
room = ask("POST", "createRoom", {"invite": ["@bob:test.example"], "preset": "private_chat"}, ann)[1]["room_id"]
seen.append(ask("POST", f"rooms/{urllib.parse.quote(room, safe='')}/join", {}, bob)[0])
seen.append([ask("GET", "account/whoami", token=token)[1].get("user_id") for token in (ann, bob, ann, "", bob)])

status, since, _ = sync(bob, "", 0)
timer = threading.Timer(2, lambda: seen.append(say(ann, room, 1, "good morning")))
timer.start()
status, since, said = sync(bob, since, 30_000)
timer.join()
seen.append([status, said])
for _ in range(5):  # receipts and the like come first
    status, since, said = sync(bob, since, 0)
status, since, said = sync(bob, since, 30_000)  # nobody says anything
seen.append([status, said])
seen.append(say(ann, room, 2, "still there?"))
status, since, said = sync(bob, since, 30_000)
seen.append([status, said])
print(json.dumps(seen))
