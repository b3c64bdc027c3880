"""Streaming exports: rows go out as they come from the server-side cursor."""

import csv
import io
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

import msgspec
from aiohttp import web

from etter.db.database import Batch, Database
from etter.errors import EtterError
from etter.queries.exports import EXPORTS, ExportKind
from etter.web.call import Call, NoBody, Route

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

    async def export(self, call: Call[ExportQuery, NoBody]) -> web.StreamResponse:
        """Stream all rows that the caller may see."""
        query = call.query
        write = _ndjson if query.format == "ndjson" else _csv
        statement = EXPORTS[query.kind](call.caller.company_scope)
        async with aclosing(self.database.stream(statement)) as batches:
            # The first batch is read before the head is sent: until then an error can still be told as one.
            first: Batch = await anext(batches, ())
            response = web.StreamResponse(headers=_head(query))
            await response.prepare(call.request)
            try:
                await response.write(write(first, True))
                async for batch in batches:
                    await response.write(write(batch, False))
            except EtterError:
                # Half an export must not look like a whole one: break the connection.
                if call.request.transport is not None:
                    call.request.transport.abort()
                raise
            await response.write_eof()
        return response

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
