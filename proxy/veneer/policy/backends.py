"""From the checked shape of an upstream to the model."""

from __future__ import annotations

from veneer.policy import model, schema


def upstream_settings(name: str, url: str, shape: schema.UpstreamShape) -> model.UpstreamSettings:
    """The upstream `name` at `url`."""
    health, breaker = shape.health, shape.breaker
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
        health=None
        if health is None
        else model.HealthRules(
            path=health.path,
            every_s=health.every,
            timeout_s=health.timeout,
            unhealthy_after=health.unhealthy_after,
            healthy_after=health.healthy_after,
        ),
        breaker=None if breaker is None else model.BreakerRules(failures=breaker.failures, open_s=breaker.open),
    )
