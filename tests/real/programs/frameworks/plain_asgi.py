"""An ASGI and a WSGI application that say which target was asked for."""


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    body = f"answer to {scope['path']}".encode()
    length = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": body})


def wsgi(environ, start_response):
    body = f"answer to {environ['PATH_INFO']}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
