"""Runs one test through the proxy: load the script, send the steps, ask the origin what it saw."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass

import msgspec

from checks.conformance.checks import RETRY, CheckError, NotSeenError, check_response, check_seen
from checks.conformance.client import Client, FetchError, Response
from checks.conformance.judge import Finding, Result
from checks.conformance.magic import resolve
from checks.conformance.script import Seen
from checks.conformance.suite import CacheTest, Step
from checks.conformance.wire import Trace

PAUSE_S = 3.0


@dataclass(frozen=True, slots=True)
class Engine:
    """Where the proxy listens, and whether to trace."""

    host: str
    port: int
    trace: Trace
    pause_s: float = PAUSE_S

    async def run(self, test: CacheTest) -> Result:
        """Run `test` over a resource nobody has asked for before."""
        token = str(uuid.uuid4())
        # A copy: resolving dates and locations changes the steps.
        steps = msgspec.convert(msgspec.to_builtins(test.requests), type=list[Step])
        for step in steps:
            step.name, step.id = test.name, test.id
        client = Client(self.host, self.port, self.trace)
        try:
            await self._load(client, token, steps)
            responses = await self._play(client, token, steps)
            check_seen(steps, responses, await self._seen(client, token))
        except CheckError as failure:
            if not failure.setup:
                return Result(Finding.FAILED, str(failure))
            return Result(Finding.RETRIED if str(failure) == RETRY else Finding.SETUP_FAILED, str(failure))
        except (FetchError, NotSeenError) as error:
            return Result(Finding.BROKEN, str(error))
        finally:
            client.close()
        return Result(Finding.PASSED, "")

    async def _load(self, client: Client, token: str, steps: list[Step]) -> None:
        """Load the script; a failure shows in the first step."""
        try:
            fields = [("content-type", "application/json")]
            await client.fetch("PUT", f"/config/{token}", fields, msgspec.json.encode(steps))
        except FetchError as error:
            self.trace.note("the script could not be loaded", str(error).encode())

    async def _play(self, client: Client, token: str, steps: list[Step]) -> list[Response]:
        responses: list[Response] = []
        for number, step in enumerate(steps, 1):
            fields = step_fields(step, number, responses[-1] if responses else None)
            body = None if step.request_body is None else step.request_body.encode()
            response = await client.fetch(step.request_method, step_target(step, token), fields, body)
            responses.append(response)
            check_response(step, number, response, token)
            if step.pause_after:
                await asyncio.sleep(self.pause_s)
        return responses

    async def _seen(self, client: Client, token: str) -> list[Seen]:
        response = await client.fetch("GET", f"/state/{token}", [], None)
        if response.status != 200:
            return []
        try:
            return msgspec.json.decode(response.text(), type=list[Seen])
        except msgspec.DecodeError as error:
            raise FetchError(f"the proxy garbled the origin's state: {error}") from error


def step_target(step: Step, token: str) -> str:
    """The request target of a step."""
    filename = "" if step.filename is None else f"/{step.filename}"
    query = "" if step.query_arg is None else f"?{step.query_arg}"
    return f"/test/{token}{filename}{query}"


def step_fields(step: Step, number: int, previous: Response | None) -> list[tuple[str, str]]:
    """The fields a step's request carries: two that keep `fetch` from caching, the step's own, and its identity."""
    given = (lambda name: None) if previous is None else previous.lines.get
    fields = [("Pragma", "foo"), ("Cache-Control", "nothing-to-see-here")]
    for line in step.request_headers:
        value = line.value
        if step.magic_ims and line.name.lower() == "if-modified-since":
            value = resolve(line.name, value, step, given)
        fields.append((line.name, str(value)))
    return [*fields, ("Test-Name", step.name), ("Test-ID", step.id), ("Req-Num", str(number))]
