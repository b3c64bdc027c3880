"""A notebook's life on JupyterLab: files are written, read, downloaded; a kernel works; strangers see nothing."""

import json
import sys
import uuid

import requests
import websocket

URL, TOKEN = sys.argv[1:]
seen: list[object] = []
session = requests.Session()
session.trust_env = False
session.headers["Authorization"] = f"token {TOKEN}"
stranger = requests.Session()
stranger.trust_env = False


def written(path: str, text: str) -> int:
    model = {"type": "file", "format": "text", "content": text}
    return session.put(f"{URL}/api/contents/{path}", json=model, timeout=30).status_code


def shown(path: str) -> list[object]:
    answer = session.get(f"{URL}/api/contents/{path}", timeout=30)
    return [answer.status_code, answer.json().get("content") if answer.status_code == 200 else ""]


def downloaded(who: requests.Session, path: str) -> list[object]:
    answer = who.get(f"{URL}/files/{path}", timeout=30, allow_redirects=False)
    return [answer.status_code, answer.text if answer.status_code == 200 else ""]


def run_in(kernel: str, code: str) -> list[str]:
    """What the kernel prints."""
    path = f"{URL.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels?session_id={uuid.uuid4()}"
    socket = websocket.create_connection(path, header=[f"Authorization: token {TOKEN}"], timeout=30)
    message = uuid.uuid4().hex
    header = {"msg_id": message, "msg_type": "execute_request", "username": "", "session": "s", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
    request = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    socket.send(json.dumps(request))
    printed: list[str] = []
    while True:
        told = json.loads(socket.recv())
        if told["parent_header"].get("msg_id") != message:
            continue
        if told["msg_type"] == "stream":
            printed.append(told["content"]["text"])
        if told["msg_type"] == "status" and told["content"]["execution_state"] == "idle":
            socket.close()
            return printed


def files() -> None:
    for text in ("first", "second, and longer"):
        seen.append(written("a b.txt", text) in {200, 201})
        seen.extend(shown("a b.txt") for _ in range(2))
        seen.extend(downloaded(session, "a%20b.txt") for _ in range(2))
        seen.append(downloaded(stranger, "a%20b.txt")[0] in {302, 403})
    session.patch(f"{URL}/api/contents/a b.txt", json={"path": "moved.txt"}, timeout=30)
    seen.extend([shown("a b.txt"), shown("moved.txt"), downloaded(session, "moved.txt")])
    seen.append(stranger.get(f"{URL}/api/contents/moved.txt", timeout=30).status_code)
    seen.append(
        [
            session.get(f"{URL}/lab", timeout=30).status_code,
            stranger.get(f"{URL}/lab", timeout=30).url.removeprefix(URL),
        ]
    )
    seen.append(session.delete(f"{URL}/api/contents/moved.txt", timeout=30).status_code)
    seen.extend([shown("moved.txt"), downloaded(session, "moved.txt")])


def kernels() -> None:
    kernel = session.post(f"{URL}/api/kernels", json={"name": "python3"}, timeout=60).json()["id"]
    seen.append("".join(run_in(kernel, "print(6 * 7)")))
    seen.append(len("".join(run_in(kernel, "print('x' * 1_000_000)"))))
    seen.append("".join(run_in(kernel, "import time; time.sleep(2); print('later')")))
    seen.append([one["id"] == kernel for one in session.get(f"{URL}/api/kernels", timeout=30).json()])
    seen.append(session.delete(f"{URL}/api/kernels/{kernel}", timeout=30).status_code)
    seen.append(session.get(f"{URL}/api/kernels", timeout=30).json())


files()
kernels()
print(json.dumps(seen))
