"""From the checked shape of an upstream to the model."""

from __future__ import annotations

from collections.abc import Iterator

from veneer.policy import model
from veneer.policy.model_concurrency import ConcurrencyRules
from veneer.policy.schema_upstream import UpstreamShape
from veneer.policy.sources import Sources
from veneer.policy.tls import BY_SYSTEM, TlsSettings, UnusableFileError, tls_context


def upstream_settings(name: str, url: str, shape: UpstreamShape, sources: Sources) -> model.UpstreamSettings:
    """The upstream `name` at `url`."""
    health, breaker, tls, concurrency = shape.health, shape.breaker, shape.tls, shape.concurrency
    noted = "".join([sources.noted(path) for path in (tls.ca, tls.certificate, tls.key) if path is not None])
    return model.UpstreamSettings(
        name=name,
        url=url,
        connect_timeout_s=shape.connect_timeout,
        read_timeout_s=shape.read_timeout,
        write_timeout_s=shape.write_timeout,
        pool_timeout_s=shape.pool_timeout,
        keep_alive_s=shape.keep_alive,
        keep_alive_time_s=shape.keep_alive_time,
        max_connections=shape.max_connections,
        max_streams=shape.max_streams,
        stream_idle_s=shape.stream_idle,
        preserve_host=shape.preserve_host,
        rewrite_location=shape.rewrite_location,
        tls=TlsSettings(tls.ca, tls.certificate, tls.key, tls.server_name, noted),
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
        retries=model.RetryRules(refused_s=shape.retries.refused),
    )


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
