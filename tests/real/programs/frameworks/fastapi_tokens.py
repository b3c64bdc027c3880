"""FastAPI with OAuth2 bearer tokens and server-sent events of each user's own."""

import asyncio
from datetime import UTC, datetime, timedelta

from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from sse_starlette.sse import EventSourceResponse

app = FastAPI()
bearer = OAuth2PasswordBearer(tokenUrl="token")
OLD = (datetime.now(UTC) - timedelta(days=20)).strftime("%a, %d %b %Y %H:%M:%S GMT")


async def user(token: str = Depends(bearer)) -> str:
    await asyncio.sleep(0.05)
    if not token.startswith("token-of-"):
        raise HTTPException(401, "no such token")
    return token.removeprefix("token-of-")


@app.post("/token")
async def sign_in(form: OAuth2PasswordRequestForm = Depends()) -> dict[str, str]:
    return {"access_token": f"token-of-{form.username}", "token_type": "bearer"}


@app.get("/me")
async def me(name: str = Depends(user)) -> dict[str, str]:
    return {"hello": f"<{name}>"}


@app.get("/report")
async def report(response: Response, name: str = Depends(user)) -> dict[str, str]:
    response.headers["Last-Modified"] = OLD
    response.headers["ETag"] = f'"{name}"'
    return {"report": f"<{name}>"}


@app.get("/fresh")
async def fresh(response: Response, name: str = Depends(user)) -> dict[str, str]:
    response.headers["Cache-Control"] = "max-age=60"
    return {"fresh": f"<{name}>"}


@app.get("/events")
async def events(name: str = Depends(user)) -> EventSourceResponse:
    async def told():
        for number in range(3):
            yield {"id": str(number), "event": "turn", "data": f"<{name}> {number}"}
            await asyncio.sleep(0.02)

    return EventSourceResponse(told())


@app.get("/catalogue")
async def catalogue(response: Response) -> list[int]:
    response.headers["Cache-Control"] = "public, max-age=60"
    return list(range(1000))
