"""From the checked shape of an upstream to the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from veneer.core.affinity import AffinityKind, AffinityRules
from veneer.core.balancing import EjectionRules
from veneer.policy import model
from veneer.policy.document import KeyPath
from veneer.policy.file_copies import FileCopies
from veneer.policy.model_concurrency import ConcurrencyRules
from veneer.policy.model_targets import Resolve, RetryRules, TargetSettings
from veneer.policy.places import bad_url, unresolvable, url_hint
from veneer.policy.schema_upstream import UpstreamShape
from veneer.policy.sources import Sources
from veneer.policy.taken_over import taken_over
from veneer.policy.tls import BY_SYSTEM, TlsSettings, UnusableFileError, tls_context
from veneer.policy.wrong import Wrong

_AFFINITY_KINDS: Final = frozenset(kind.value for kind in AffinityKind)
_EXAMPLES: Final = {"header": "X-User", "cookie": "session"}
_ALIKE: Final = "give what differs an upstream of its own"


def targets_of(shape: UpstreamShape, given: str | None) -> tuple[TargetSettings, ...]:
    """Where the upstream is: at what is `given` in place of all that the file says, or else at what it says."""
    if given is not None or not shape.targets:
        return (TargetSettings((given or shape.url or "").rstrip("/")),)
    return tuple(
        TargetSettings(target.url.rstrip("/"), target.drain, target.weight, Resolve(target.resolve))
        for target in shape.targets
    )


def wrong_targets(shape: UpstreamShape, targets: tuple[TargetSettings, ...], given: str | None) -> Iterator[Wrong]:
    """What is wrong with where the upstream is."""
    if given is None and (shape.url is None) == (not shape.targets):
        said = "nowhere" if shape.url is None else "in two places"
        yield Wrong((), f"the upstream is {said}", "name either its `url` or its `targets`")
        return
    several = given is None and bool(shape.targets)
    for at, target in enumerate(targets):
        path: KeyPath = ("targets", at, "url") if several else ("url",)
        if (why := bad_url(target.url)) is not None:
            yield Wrong(path, why if given is None else f"--upstream {given}: {why}", url_hint(target.url))
        elif (unfit := unresolvable(target.url, target.resolve)) is not None:
            yield Wrong(("targets", at, "resolve"), *unfit)
        elif target.url in [other.url for other in targets[:at]]:
            yield Wrong(path, f'"{target.url}" is named twice', "leave one away")
        elif _kind(target.url) != _kind(targets[0].url) and bad_url(targets[0].url) is None:
            yield Wrong(path, f'"{target.url}" has another scheme or path than "{targets[0].url}"', _ALIKE)
    if several and all(target.drain for target in targets):
        yield Wrong(("targets",), "all targets are drained", "let one have requests")


def _kind(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, "" if parts.scheme == "unix" else parts.path


def upstream_settings(
    name: str, targets: tuple[TargetSettings, ...], shape: UpstreamShape, sources: Sources
) -> model.UpstreamSettings:
    """The upstream `name` at these targets."""
    ejection = shape.ejection
    health, breaker, tls, concurrency = shape.health, shape.breaker, shape.tls, shape.concurrency
    noted = "".join([sources.noted(path) for path in (tls.ca, tls.certificate, tls.key) if path is not None])
    url = next((target.url for target in targets if not target.drain), targets[0].url)
    return replace(
        taken_over(shape, model.UpstreamSettings(name, url)),
        tls=TlsSettings(tls.ca, tls.certificate, tls.key, tls.server_name, noted, FileCopies(sources.copies)),
        health=None
        if health is None
        else model.HealthRules(
            path=health.path,
            every_s=health.every,
            timeout_s=health.timeout,
            unhealthy_after=health.unhealthy_after,
            healthy_after=health.healthy_after,
        ),
        concurrency=ConcurrencyRules(
            adaptive=concurrency.adaptive,
            least=concurrency.min,
            max_waiting=concurrency.max_waiting,
            route_share=concurrency.route_share,
            critical_share=concurrency.critical_share,
        ),
        breaker=None if breaker is None else model.BreakerRules(failures=breaker.failures, open_s=breaker.open),
        retries=RetryRules(shape.retries.refused, shape.retries.share, shape.retries.per_second),
        targets=targets if len(targets) > 1 or not targets[0].is_fixed else (),
        ejection=EjectionRules(
            failures=ejection.failures,
            base_s=ejection.base,
            longest_s=ejection.longest,
            share=ejection.share,
            slow_start_s=ejection.slow_start,
        ),
        affinity=_affinity(shape),
    )


def _affinity(shape: UpstreamShape) -> AffinityRules | None:
    """What ties clients to targets; what `wrong_affinity` has found is left out."""
    asked = shape.affinity
    if asked is None or any(wrong_affinity(shape)):
        return None
    kind, _, name = asked.key.partition(":")
    named = name.lower() if kind == AffinityKind.HEADER.value else name
    return AffinityRules(AffinityKind(kind), named, asked.balance_factor)


def wrong_affinity(shape: UpstreamShape) -> Iterator[Wrong]:
    """What is wrong with the key by which requests find their target."""
    if shape.affinity is None:
        return
    text, at = shape.affinity.key, ("affinity", "key")
    kind, colon, name = text.partition(":")
    if kind not in _AFFINITY_KINDS:
        yield Wrong(at, f'"{text}" is not a known key', "write client_ip, header:NAME or cookie:NAME")
    elif kind == AffinityKind.CLIENT_IP.value:
        if colon:
            yield Wrong(at, f'"{text}" is not a known key', f'write "{kind}"')
    elif not (name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
        yield Wrong(at, f'"{text}" names no {kind}', f'write "{kind}:{_EXAMPLES[kind]}"')
    if not shape.targets:
        yield Wrong(("affinity",), "there is one target only", "name several `targets`")


def wrong_tls(settings: model.UpstreamSettings) -> Iterator[tuple[str | None, str, str | None]]:
    """What is wrong with the section `tls`: the key, None for the whole of it, why, and what would be right."""
    tls = settings.tls
    if tls == BY_SYSTEM:
        return
    if not settings.url.startswith("https:"):
        yield None, f'"{settings.url}" is reached without TLS', 'write "https://host:port" as its `url`'
    if tls.key is not None and tls.certificate is None:
        yield "key", "belongs to no certificate", "name the `certificate` as well"
    for name, path in (("ca", tls.ca), ("certificate", tls.certificate), ("key", tls.key)):
        if path is not None and not path.startswith("/"):
            yield name, f'"{path}" is not an absolute path', f'write "/etc/veneer/{path.rpartition("/")[2]}"'
            return
    if tls.ca is None and tls.certificate is None:
        return
    try:
        tls_context(tls)
    except UnusableFileError as error:
        yield error.member, str(error), None
