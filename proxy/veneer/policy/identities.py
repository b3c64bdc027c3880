"""From the checked section `identities` to the model, and what routes may say of identities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b

from veneer.core.identity import TokenRules
from veneer.policy.key_sets import key_set_place, wrong_key_set
from veneer.policy.key_texts import sources_of
from veneer.policy.model_identity import (
    HeaderIdentity,
    Identity,
    JwtIdentity,
    JwtKey,
    KeySource,
    ProofRules,
    SessionIdentity,
)
from veneer.policy.problems import nearest
from veneer.policy.schema_cache import CacheShape
from veneer.policy.schema_identity import IdentityShape, JwtShape
from veneer.policy.subrequests import Upstreams, subrequest_identity, wrong_subrequest
from veneer.policy.wrong import Wrong

PREFIX = "identity."
"""What names of identity values begin with where routes use them."""
KINDS = ("jwt", "session", "header", "subrequest")
"""How an identity is proven."""


def identity_of(
    name: str, shape: IdentityShape, upstreams: Upstreams, texts: Mapping[tuple[str, int], str]
) -> Identity | None:
    """The definition; None where it says nothing of how identity is proven."""
    proof: ProofRules
    if shape.jwt is not None:
        proof = _jwt(name, shape.jwt, texts)
    elif shape.session is not None:
        proof = SessionIdentity(tuple(shape.session.cookies), shape.session.value)
    elif shape.header is not None:
        named = tuple((value, field.lower()) for value, field in sorted(shape.header.values.items()))
        proof = HeaderIdentity(named)
    elif shape.subrequest is not None:
        proof = subrequest_identity(shape.subrequest, upstreams)
    else:
        return None
    return Identity(name, proof, blake2b(repr(proof).encode(), digest_size=16).hexdigest(), frozenset(shape.log))


def _jwt(name: str, shape: JwtShape, texts: Mapping[tuple[str, int], str]) -> JwtIdentity:
    named = tuple(sorted(shape.values.items()))
    rules = TokenRules(named, frozenset(shape.issuer), frozenset(shape.audience), shape.leeway)
    keys = [
        JwtKey(source, place, key.id, texts.get((name, index), ""))
        for index, key in enumerate(shape.keys)
        for source, place in sources_of(key)[:1]
    ]
    published = tuple([key_set_place(key) for key in shape.keys if key.jwks is not None])
    return JwtIdentity(tuple(keys), rules, frozenset(shape.algorithms), shape.cookie, published)


def wrong_identities(shapes: Mapping[str, IdentityShape], upstreams: Upstreams, *, trusts: bool) -> Iterator[Wrong]:
    """What is wrong with the section; `trusts` tells whether any proxy is trusted."""
    owners: dict[str, str] = {}
    for name, shape in shapes.items():
        kinds = [kind for kind in KINDS if getattr(shape, kind) is not None]
        if len(kinds) != 1:
            said = " and ".join(kinds) or "nothing"
            yield Wrong((name,), f"an identity is proven in one way, and here is {said}", "write one of them")
        if shape.jwt is not None:
            yield from (Wrong((name, "jwt", *one.path), *one[1:]) for one in _wrong_jwt(shape.jwt))
        if shape.header is not None and not trusts:
            why = "fields prove nothing as long as nobody is trusted: any client could send them"
            yield Wrong((name, "header"), why, "list the proxies that set them under `trusted_proxies`")
        if shape.subrequest is not None:
            wrong = wrong_subrequest(shape.subrequest, upstreams)
            yield from (Wrong((name, "subrequest", *one.path), *one[1:]) for one in wrong)
        found = identity_of(name, shape, upstreams, {})
        for index, value in enumerate(() if found is None else shape.log):
            if found is not None and value not in found.values:
                hint = nearest(value, found.values) or f"known: {', '.join(found.values)}"
                yield Wrong((name, "log", index), f'"{value}" is not a value of this identity', hint)
        for value in () if found is None else found.values:
            if value in owners:
                why = f'"{value}" is a value of the identity "{owners[value]}" already'
                yield Wrong((name,), why, "give it another name")
            owners.setdefault(value, name)


def _wrong_jwt(shape: JwtShape) -> Iterator[Wrong]:
    for index, key in enumerate(shape.keys):
        at = ("keys", index)
        count = len(sources_of(key)) + (key.jwks is not None)
        if count != 1:
            names = ", ".join(f"`{source.value}`" for source in KeySource)
            yield Wrong(at, f"a key is in one place, and here are {count}", f"write one of {names}, `jwks`")
        else:
            yield from (Wrong((*at, *wrong.path), *wrong[1:]) for wrong in wrong_key_set(key))
        if key.public_key is not None and "PRIVATE KEY" in key.public_key:
            yield Wrong((*at, "public_key"), "is a private key, which only the issuer may have", "write the public one")
        elif key.public_key is not None and "-----BEGIN" not in key.public_key:
            hint = 'write it with its lines "-----BEGIN PUBLIC KEY-----" and "-----END PUBLIC KEY-----"'
            yield Wrong((*at, "public_key"), "is not PEM", hint)
    secrets = {source.is_secret for key in shape.keys for source, _ in sources_of(key)}
    secrets |= {False for key in shape.keys if key.jwks is not None}
    for index, algorithm in enumerate(shape.algorithms):
        if algorithm.startswith("HS") not in secrets and secrets:
            needed = "a secret" if algorithm.startswith("HS") else "a public key"
            yield Wrong(("algorithms", index), f'"{algorithm}" needs {needed}, and no key is one', "remove it")


def shared_by(share: list[str]) -> tuple[str, ...]:
    """The names of the values that a route shares by; empty for everyone and for nobody."""
    return tuple(dict.fromkeys(name.removeprefix(PREFIX) for name in share if name.startswith(PREFIX)))


def wrong_sharing(cache: CacheShape, known: Mapping[str, Identity]) -> Iterator[Wrong]:
    """What is wrong with how a route shares, by key of `cache`; `known` are the identities by their values' names."""
    names = shared_by(cache.share)
    if len(cache.share) > 1 and len(names) != len(cache.share):
        why = "`everyone` and `nobody` stand alone, and each value once"
        yield Wrong(("share",), why, "list identity values, or write one word")
    for index, name in enumerate(names):
        if name not in known:
            yield Wrong(("share",) if len(names) == 1 else ("share", index), *unknown(name, known))
    if names and cache.share_authorized:
        why = "shares with everyone what `share` gives only to who proves an identity"
        yield Wrong(("share_authorized",), why, "remove it")
    for name in names:
        identity = known.get(name)
        for cookie in () if identity is None else identity.cookies:
            if cookie in cache.cookies.pass_:
                why = f'"{cookie}" passes the cache, so that nothing is ever shared by identity.{name}'
                yield Wrong(("cookies", "pass"), why, "remove it there")


def unknown(name: str, known: Mapping[str, Identity]) -> tuple[str, str]:
    """What to say of a value that no identity has."""
    hint = nearest(name, known)
    if hint is None:
        hint = "`identities` defines " + (", ".join(sorted(known)) if known else "none")
    return f'"{PREFIX}{name}" is not a value of any identity', hint
