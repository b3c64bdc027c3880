"""Streaming exports: rows go out as they come from the server-side cursor."""

import asyncio
import csv
import io
import logging
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

import msgspec
from aiohttp import web

from etter.db.database import Database
from etter.db.streams import Batch
from etter.errors import EtterError
from etter.queries.exports import EXPORTS, ExportKind
from etter.settings import Settings
from etter.web.call import Call, NoBody, Route

log = logging.getLogger("etter.export")
# What one write waits for: a client at two kilobytes a second is slow, not gone.
_PIECE_BYTES = 65_536
Format = Literal["ndjson", "csv"]
_MEDIA: Mapping[Format, str] = {"ndjson": "application/x-ndjson", "csv": "text/csv"}
# Spreadsheets take such a beginning for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class ExportQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to export, and how."""

    kind: ExportKind
    format: Format = "ndjson"


@dataclass(frozen=True, slots=True)
class ExportRoutes:
    """Handlers that stream."""

    database: Database
    settings: Settings

    async def export(self, call: Call[ExportQuery, NoBody]) -> web.StreamResponse:
        """Stream all rows that the caller may see."""
        query = call.query
        write = _ndjson if query.format == "ndjson" else _csv
        statement = EXPORTS[query.kind](call.caller.company_scope)
        async with aclosing(self.database.stream(statement, call.caller.company_id)) as batches:
            # The first batch is read before the head is sent: until then an error can still be told as one.
            first: Batch = await anext(batches, ())
            response = web.StreamResponse(headers=_head(query))
            await response.prepare(call.request)
            try:
                async with asyncio.timeout(self.settings.etter_export_seconds):
                    await self._send(response, write(first, True))
                    async for batch in batches:
                        await self._send(response, write(batch, False))
            except EtterError:
                # Half an export must not look like a whole one: break the connection.
                _abort(call.request)
                raise
            except (TimeoutError, ConnectionError) as error:
                # Who does not read, or reads a byte now and then, holds a transaction open and a place.
                log.warning("export broken off", extra={"kind": query.kind, "problem": type(error).__name__})
                _abort(call.request)
                return response
            await response.write_eof()
        return response

    async def _send(self, response: web.StreamResponse, text: bytes) -> None:
        """Write piece by piece. Raises TimeoutError when the client takes none for too long."""
        for start in range(0, len(text), _PIECE_BYTES):
            async with asyncio.timeout(self.settings.etter_export_stall_seconds):
                await response.write(text[start : start + _PIECE_BYTES])

    def table(self) -> tuple[Route, ...]:
        """Declare the route."""
        return (
            Route(
                method="GET",
                path="/api/etter/export",
                summary="Stream all rows of one kind",
                handler=self.export,
                data=str,
                query=ExportQuery,
                media_types=tuple(_MEDIA.values()),
            ),
        )


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _head(query: ExportQuery) -> dict[str, str]:
    return {
        "Content-Type": f"{_MEDIA[query.format]}; charset=utf-8",
        "Content-Disposition": f'attachment; filename="{query.kind}.{query.format}"',
        "Cache-Control": "private, no-store",
    }


def _ndjson(batch: Batch, _first: bool) -> bytes:
    return b"".join(msgspec.json.encode(row._asdict()) + b"\n" for row in batch)


def _csv(batch: Batch, first: bool) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    if first and batch:
        writer.writerow(batch[0]._fields)
    writer.writerows([_harmless(value) for value in row] for row in batch)
    return text.getvalue().encode()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
