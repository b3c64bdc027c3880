"""What people build in Python instead of a proxy: FastAPI with fastapi-cache2, slowapi and GZipMiddleware.

Run by the interpreter of a virtual environment of its own, which has the packages of fastapi-requirements.txt:

    python fastapi_service.py PORT BODY_FILE
"""

import json
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from fastapi.middleware.gzip import GZipMiddleware
from fastapi_cache import FastAPICache
from fastapi_cache.backends.inmemory import InMemoryBackend
from fastapi_cache.decorator import cache
from slowapi import Limiter, _rate_limit_exceeded_handler
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIMiddleware
from slowapi.util import get_remote_address


def build(document: dict[str, object]) -> FastAPI:
    """The service: one cached route that answers `document`."""
    app = FastAPI()
    FastAPICache.init(InMemoryBackend())
    app.state.limiter = Limiter(key_func=get_remote_address, default_limits=["1000000000/minute"])
    app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)
    app.add_middleware(SlowAPIMiddleware)
    app.add_middleware(GZipMiddleware, minimum_size=1000)

    @app.get("/small/{name}")
    @cache(expire=86_400)
    async def small(request: Request, name: str) -> dict[str, object]:  # noqa: ARG001 - the limiter and the key want them
        return document

    return app


def main() -> None:
    """Serve on 127.0.0.1 until stopped."""
    port, body_file = int(sys.argv[1]), Path(sys.argv[2])
    app = build(json.loads(body_file.read_bytes()))
    config = uvicorn.Config(
        app, "127.0.0.1", port, access_log=False, log_level="warning", loop="uvloop", http="httptools"
    )
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
