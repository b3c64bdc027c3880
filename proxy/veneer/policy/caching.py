"""From the checked sections `cache` and `compress` to the rules by which a route caches and codes."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b

from veneer.core.field_edits import NO_EDITS, FieldEdits
from veneer.core.rules import CacheRules, CodingRules, CookieRules, KeyRules
from veneer.policy import model, schema, schema_cache
from veneer.policy.conditions import WHOEVER, FieldConditions
from veneer.policy.identities import shared_by
from veneer.policy.taken_over import taken_over


def cache_rules(
    shape: schema_cache.CacheShape,
    passed: list[str],
    codings: tuple[str, ...],
    request: FieldEdits,
    asked: FieldConditions,
) -> CacheRules:
    """The rules of the core.

    `passed` are request fields that belong to each key, `codings` those of the route, `request` its edits of requests,
    `asked` what it asks of them: what two routes store for one target must not be mixed up.
    """
    query = shape.key.query
    return replace(
        taken_over(shape, CacheRules()),
        enabled=shape.enabled and shape.share != ["nobody"],
        ttl_s=None if shape.ttl is None else shape.ttl.default_s,
        ttl_by_status=() if shape.ttl is None else shape.ttl.by_status,
        heuristic_fraction=float(shape.heuristic.fraction),
        heuristic_max_s=shape.heuristic.max,
        cookies=CookieRules(tuple(shape.cookies.pass_), tuple(shape.cookies.key), tuple(shape.cookies.ignore)),
        targeted_fields=tuple(name.lower() for name in shape.targeted_fields),
        key=KeyRules(
            query_only=None if query.only is None else frozenset(query.only),
            query_except=frozenset(query.except_),
            query_sort=query.sort,
            query_defaults=tuple(sorted(query.defaults.items())),
            headers=tuple(dict.fromkeys(name.lower() for name in (*shape.key.headers, *passed))),
        ),
        language_from_content=shape.compat.language_from_content,
        trust_short_partial=shape.compat.trust_short_partial,
        codings=codings,
        stored_under=_stored_under(shape, request, asked),
        shared_by=shared_by(shape.share),
    )


def _stored_under(shape: schema_cache.CacheShape, request: FieldEdits, asked: FieldConditions) -> str:
    """A digest of what decides, when a response is stored, who may have it later and what invalidates it.

    After a change of it, by a reload or a restart, what is stored already would answer by the former words. Empty where
    the policy says nothing of that.
    """
    said = _said_of_sharing(shape, request, asked)
    silent = said == _said_of_sharing(schema_cache.CacheShape(), NO_EDITS, WHOEVER)
    return "" if silent else blake2b(said, digest_size=8).hexdigest()


def _said_of_sharing(shape: schema_cache.CacheShape, request: FieldEdits, asked: FieldConditions) -> bytes:
    cookies = shape.cookies
    said = (shape.share_authorized, shape.set_cookie, cookies.pass_, cookies.key, cookies.ignore, shape.tags)
    edited = (sorted(request.dropped), request.lines) if request.dropped or request.lines else ()
    conditions = (asked.hosts, asked.headers, asked.cookies) if asked else ()
    return repr(said + edited + conditions).encode()


def compress_rules(shape: schema.CompressShape, *, use_brotli: bool) -> model.CompressRules:
    """How a route codes."""
    return model.CompressRules(
        enabled=shape.enabled,
        level=shape.level,
        stream_over_bytes=shape.stream_over,
        idle_most_bytes=shape.idle_up_to if shape.idle else 0,
        coding=CodingRules(
            prefer=tuple(dict.fromkeys(coding for coding in shape.prefer if use_brotli or coding != "br")),
            min_bytes=shape.min_size,
            types=frozenset(name.removesuffix("*") for name in shape.types),
        ),
    )
