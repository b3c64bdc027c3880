"""The OpenAPI 3.1 document, made from the declared routes: it cannot differ from what is served."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from etter.web.call import NoBody, Route
from etter.web.envelope import Envelope, Failure
from etter.web.fields import Id

Schema = dict[str, Any]  # JSON Schema: free-form by nature, written once and encoded
_REFERENCES = "#/components/schemas/{name}"
_FAILURES = {400: "Wrong input", 401: "No valid token", 403: "Not allowed", 404: "Not there", 409: "Contradiction"}


def openapi(routes: Sequence[Route]) -> bytes:
    """Describe the routes."""
    fields = [field for route in routes for field in msgspec.structs.fields(route.query)]
    types = [Id, Failure, *(_envelope(route) for route in routes), *(route.body for route in routes)]
    types += [field.type for field in fields]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCES)
    by_type = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    envelopes = schemas[2 : 2 + len(routes)]
    paths: dict[str, Schema] = {}
    for route, envelope in zip(routes, envelopes, strict=True):
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, envelope, by_type)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Etter", "version": "1", "description": "Workforce data, company by company."},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "security": [{"bearer": []}],
    }
    # Python's end of text has another name in JSON Schema's dialect of patterns.
    return msgspec.json.encode(document).replace(rb"\\Z", b"$")


def _envelope(route: Route) -> Any:
    # The types are known at run time only, so the subscript cannot be an annotation.
    return Envelope[route.data]  # type: ignore[name-defined]


def _operation(route: Route, envelope: Schema, by_type: Mapping[int, Schema]) -> Schema:
    failure = by_type[id(Failure)]
    responses = {str(status): _content(text, failure) for status, text in _failures(route)}
    whole = envelope if route.media_types == ("application/json",) else {"type": "string"}
    responses[str(route.status)] = _content(route.summary, whole, route.media_types)
    responses["default"] = _content("Any other failure", failure)
    operation: Schema = {
        "summary": route.summary,
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{route.path}").strip("_"),
        "parameters": [*_path_parameters(route, by_type), *_query_parameters(route, by_type)],
        "responses": responses,
    }
    if route.body is not NoBody:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": by_type[id(route.body)]}},
        }
    return operation


def _failures(route: Route) -> Iterable[tuple[int, str]]:
    return ((status, text) for status, text in _FAILURES.items() if status != route.status)


def _content(text: str, schema: Schema, media_types: Sequence[str] = ("application/json",)) -> Schema:
    return {"description": text, "content": {media: {"schema": schema} for media in media_types}}


def _path_parameters(route: Route, by_type: Mapping[int, Schema]) -> Iterable[Schema]:
    for name in re.findall(r"\{(\w+)\}", route.path):
        yield {"name": name, "in": "path", "required": True, "schema": by_type[id(Id)]}


def _query_parameters(route: Route, by_type: Mapping[int, Schema]) -> Iterable[Schema]:
    for field in msgspec.structs.fields(route.query):
        schema = _present(by_type[id(field.type)])
        yield {"name": field.encode_name, "in": "query", "required": field.required, "schema": schema}


def _present(schema: Schema) -> Schema:
    """Leave out null: a query parameter is there or it is not."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    return choices[0] if len(choices) == 1 else schema
