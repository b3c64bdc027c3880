"""Writes docs/policies.md from the schema, so that what operators read is what is checked.

`python -m veneer.policy.reference docs/policies.md` renews it; a test fails while it is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from veneer.policy.decode import nested_shape
from veneer.policy.generated import write_generated
from veneer.policy.schema import PolicyShape, RouteOptions, RouteShape
from veneer.policy.settings import VARIABLES
from veneer.policy.shape import Unit
from veneer.policy.units import format_duration, format_size

INTRODUCTION = """\
# policies.yaml

Generated from the schema in `proxy/veneer/policy/schema*.py`; run `python -m veneer.policy.reference docs/policies.md`
after a change there.

One file steers the proxy. Every key may be left out: an empty file, or none, is a standards-obeying shared cache
without a rate limit. The file is strict: an unknown key, a bad unit, a name that is not defined or a route that
nothing can reach is an error with its line, its key and the nearest right spelling, and all errors are reported at
once. A file with errors never starts a server and never replaces a running policy. `veneer check-policies FILE` checks
one. Editors complete and check as one writes by `docs/policies.schema.json`: see
[the command line](cli.md#an-editor-that-knows-policiesyaml).

What is allowed and seldom meant is warned about, with its line and what to write instead: at start, at each reload, and
by `check-policies`, which counts such a file as right. These are `share_authorized` without a field in the key that
tells users apart (fields of negotiation do not), `cookies.ignore` for what looks like a session, or for `*` with
nothing of a session under `pass` or `key`, `set_cookie: store` or `explicit`, `except` for a parameter that
says who asks, `trusted_proxies` that holds everybody, a `jwks` that is fetched without TLS, and a `secret_env` that is
not set: such an identity proves nothing, and its requests go to the backend.

A running proxy takes a changed file up within two seconds, or at once on SIGHUP. Requests that have begun keep
the policy they began with. Sections marked "read at start only" need a restart; the log says so.

## How quantities are written

| kind | examples |
|---|---|
| duration | `500ms` `30s` `5m` `1h` `1d`, `0` |
| size | `512B` `64KB` `1MB` `1GB` (1 KB is 1024 bytes), `0` |
| rate | `1000/60s` `10/1s` |
| status | `404` `2xx` `500-503` |

Scalars follow YAML 1.2: `on`, `off`, `yes` and `no` are text; switches are `true` and `false`. Merge keys (`<<`) and
tags (`!x`) are refused; anchors and aliases work within bounds. A file may have 256 KB.

## Variables, secrets, several files

`${NAME}` in a value stands for the variable of the environment, `${NAME:-default}` for the default where that is not
set or empty, and `$${` for the signs themselves. What is filled in is one value, whatever it holds; outside quotes it
is read as it would be read there, so that `max_connections: ${MOST}` is a number. `{file: /run/secrets/name}` in place
of a text stands for the content of the file, less the end of its last line; no message shows it. `include` names
further files. Paths are relative to the policy file, those of an `include` to the file that holds it. Keys of
identities (`secret_env`, `secret_file`, `public_key_file`) are read in the same way, of 64 KB at most. All these files
are watched, and those of an upstream's `tls` too; variables are those that the process started with.

## Which route a request takes

Routes are tried in the order of the file, and the first that matches wins, in one walk along the path however many
routes there are. A request that none matches takes the route `default`, made from `defaults` (less its `cache.ttl`).

* `{name}` is one segment, not empty; `{name:path}`, once in a path, is any number of them: `/{repo:path}/blobs/{id}`
  takes `/a/b/blobs/1`; at the end it is all that remains, even nothing. All else is literal.
* Paths are compared in their normal form (RFC 3986 section 6.2.2); paths that can be read in two ways never get here.
* `methods: [GET]` includes HEAD.
* `query: {type: user}` holds when the parameter occurs exactly once and has this value.
* `host`, `headers` and `cookies` look at the request as it came. What such a route stores is kept apart from what
  others store for the same path; a write of the path, or a purge of it, reaches all of them.

A route takes from `defaults` what it does not say itself, key by key and at every depth.

## Tags

`tags` names a route's responses, `invalidates` names what an unsafe request on it makes invalid, both beside what the
backend's own headers say. Both may use the path's parameters. A value enters a tag in one form: its percent-encoding
is undone, then everything but letters, digits and ``-._~!$&'()+;=@/`` is percent-encoded. So `/users/a%3Ab` and
`/users/a:b` have the tag `user:a%3Ab`, and no value can name a second tag, a prefix or everything: `*` becomes `%2A`.
An invalidation may end in `:*`: `users:*` reaches `users` and every tag that begins with `users:`. `*` alone is
everything.
"""


def render() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *_shapes(), *_environment(), *_tests_section()]) + "\n"


def _shapes() -> Iterator[str]:
    yield "## Keys\n"
    yield from _table("The file", PolicyShape)
    yield from _nested(PolicyShape, "", skip=("defaults", "routes", "tests"))
    yield from _table("`defaults` and every route", RouteOptions)
    yield from _nested(RouteOptions, "", skip=())
    yield from _table("`routes[]`, beside the keys of `defaults`", RouteShape, without=tuple(RouteOptions.model_fields))
    yield from _nested(RouteShape, "routes[].", skip=tuple(RouteOptions.model_fields))


def _tests_section() -> Iterator[str]:
    shape = nested_shape(PolicyShape.model_fields["tests"].annotation)
    assert shape is not None
    yield "## Tests in the file\n"
    yield "`tests` run whenever the file is loaded, without any I/O. A failing one refuses the file with its line.\n"
    yield from _table("`tests[]`", shape)
    yield from _nested(shape, "tests[].", skip=())


def _nested(shape: type[BaseModel], prefix: str, skip: tuple[str, ...]) -> Iterator[str]:
    for name, field in shape.model_fields.items():
        inner = nested_shape(field.annotation)
        if inner is None or name in skip:
            continue
        origin = get_origin(field.annotation)
        mark = "[]" if origin is list else ".NAME" if origin is dict else ""
        path = f"{prefix}{field.alias or name}{mark}"
        yield from _table(f"`{path}`", inner)
        yield from _nested(inner, f"{path}.", skip=())


def _table(title: str, shape: type[BaseModel], without: tuple[str, ...] = ()) -> Iterator[str]:
    yield f"### {title}\n"
    if shape.__doc__ and not without:
        yield " ".join(shape.__doc__.split()) + "\n"
    yield "| key | type | default | meaning | risk |\n|---|---|---|---|---|"
    for name, field in shape.model_fields.items():
        if name not in without:
            cells = (f"`{field.alias or name}`", _type(field), _default(field), _text(field.description), _risk(field))
            yield f"| {' | '.join(cells)} |"
    yield ""


def _environment() -> Iterator[str]:
    yield "## Settings by environment\n"
    yield "Strongest first: what a route itself says, flags, environment, `defaults` of the file, built-in defaults.\n"
    yield "| variable | replaces |\n|---|---|"
    for variable in VARIABLES:
        yield f"| `{variable.name}` | {variable.meaning} |"
    yield ""


def _type(field: FieldInfo) -> str:
    unit = _unit(field)
    bounds = [_bound(mark, unit) for mark in field.metadata]
    return " ".join([unit or _name(field.annotation), *(bound for bound in bounds if bound)])


def _unit(field: FieldInfo) -> str | None:
    marks = [*field.metadata, *(mark for part in get_args(field.annotation) for mark in get_args(part))]
    if get_origin(field.annotation) in (list, dict):
        return None
    return next((str(mark) for mark in marks if isinstance(mark, Unit)), None)


def _bound(mark: object, unit: str | None) -> str:
    for attribute, sign in (("ge", ">="), ("gt", ">"), ("le", "<=")):
        value = getattr(mark, attribute, None)
        if value is not None and (value or unit is None):
            return f"{sign} {_quantity(value, unit)}"
    return ""


def _quantity(value: float, unit: str | None) -> str:
    if unit == "duration":
        return format_duration(value)
    return format_size(int(value)) if unit == "size" else f"{value:.10g}"


def _name(annotation: Any) -> str:
    arguments, origin = get_args(annotation), get_origin(annotation)
    if origin is Literal:
        return " ".join(f"`{value}`" for value in arguments)
    if origin in (list, dict):
        return f"{'list of' if origin is list else 'mapping to'} {_name(arguments[-1])}"
    units = [str(mark) for mark in arguments if isinstance(mark, Unit)]
    if not units and type(None) in arguments:
        return _name(next(argument for argument in arguments if argument is not type(None)))
    return units[0] if units else _plain_name(annotation if isinstance(annotation, type) else arguments[0])


def _plain_name(plain: type) -> str:
    if issubclass(plain, BaseModel):
        return "section"
    return {int: "number", float: "number", bool: "`true` `false`"}.get(plain, "text")


def _status_classes(statuses: frozenset[int]) -> list[str]:
    """The classes that the statuses are: defaults are whole classes."""
    classes = sorted({status // 100 for status in statuses})
    assert statuses == {status for one in classes for status in range(100 * one, 100 * one + 100)}
    return [f"{one}xx" for one in classes]


def default_text(field: FieldInfo) -> str:
    """A key's default as it would be written; "none" where there is none, and "required"."""
    return _default(field).replace("`", "")


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "see below"
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, list | tuple):
        return f"`[{', '.join(_status_classes(value[0]) if isinstance(value[0], frozenset) else value)}]`"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"`{_quantity(value, _unit(field))}`"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


def _risk(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return _text(str(extra["risk"])) if isinstance(extra, dict) and "risk" in extra else ""


def _text(text: str | None) -> str:
    return (text or "").replace("|", "\\|")


def main(arguments: list[str]) -> int:
    """Write the page to the path given."""
    return write_generated(render, "python -m veneer.policy.reference docs/policies.md", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
