"""From the checked sections of `rate_limits` to the limits that routes name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from veneer.core.rate import Accuracy, RateLimit, RateOnStoreLoss
from veneer.policy import schema
from veneer.policy.document import KeyPath
from veneer.policy.identities import PREFIX, unknown
from veneer.policy.model_identity import Identity
from veneer.policy.model_rates import RateKey, RateKeyKind, RateRule
from veneer.policy.problems import nearest


class ProblemNote(Protocol):
    """Notes what is wrong at a place."""

    def __call__(self, path: KeyPath, message: str, suggestion: str | None = None, *, key: bool = False) -> None:
        """With `key` the place is that of the key."""
        ...


def rate_rules(
    shapes: Mapping[str, schema.RateLimitShape], proven: Mapping[str, Identity], problem: ProblemNote
) -> dict[str, RateRule]:
    """The limits by name; those whose numbers no bucket can hold are left out.

    `proven` are the identities by the names of their values.
    """
    found = {}
    for name, shape in shapes.items():
        burst = shape.rate.quota if shape.burst is None else shape.burst
        if burst > shape.rate.quota:
            problem(("rate_limits", name, "burst"), f"is more than the quota of {shape.rate.quota}")
        first, *further = _keys(("rate_limits", name, "key"), shape.key, proven, problem)
        try:
            limit = RateLimit(
                name=name,
                quota=shape.rate.quota,
                window_s=shape.rate.window_s,
                burst=burst,
                on_store_loss=RateOnStoreLoss(shape.on_store_loss),
                accuracy=Accuracy(shape.accuracy),
                ipv6_bits=shape.ipv6_prefix,
            )
        except ValueError as error:
            problem(("rate_limits", name), str(error), key=True)
            continue
        found[name] = RateRule(limit, first, tuple(further))
    return found


def _keys(path: KeyPath, texts: list[str], proven: Mapping[str, Identity], problem: ProblemNote) -> list[RateKey]:
    keys: list[RateKey] = []
    for index, text in enumerate(texts):
        key = _key((*path, index), text, proven, problem)
        if key is None:
            continue
        if key in keys:
            problem((*path, index), f'"{text}" is listed twice', "remove it")
        elif len(texts) > 1 and key.kind is RateKeyKind.GLOBAL:
            problem((*path, index), '"global" tells no clients apart, beside other keys', "remove it")
        keys.append(key)
    return keys or [RateKey(RateKeyKind.CLIENT_IP)]


def _key(path: KeyPath, text: str, proven: Mapping[str, Identity], problem: ProblemNote) -> RateKey | None:
    kind, colon, header = text.partition(":")
    kinds = [known.value for known in RateKeyKind if known is not RateKeyKind.IDENTITY]
    if text.startswith(PREFIX):
        name = text.removeprefix(PREFIX)
        if name not in proven:
            problem(path, *unknown(name, proven))
            return None
        return RateKey(RateKeyKind.IDENTITY, name)
    if kind == "header" and header and header.replace("-", "").replace("_", "").isalnum() and header.isascii():
        return RateKey(RateKeyKind.HEADER, header.lower())
    if kind in kinds and kind != "header" and not colon:
        return RateKey(RateKeyKind(kind))
    if kind == "header":
        problem(path, f'"{text}" names no field', 'write "header:X-Api-Key"')
    else:
        problem(path, f'"{text}" is not a known key', nearest(kind, kinds))
    return None
