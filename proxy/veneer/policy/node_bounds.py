"""From the checked sections `limits`, `timeouts` and `logging` to what obeys them."""

from __future__ import annotations

from veneer.core.line_sampling import LineSampling
from veneer.policy import node_settings, schema_node


def size_limits(shape: schema_node.LimitsShape) -> node_settings.SizeLimits:
    """The bounds on what clients may send."""
    return node_settings.SizeLimits(
        head_bytes=shape.head,
        header_count=shape.header_count,
        target_bytes=shape.target,
        body_bytes=shape.body,
        connections=shape.connections,
        in_flight=shape.in_flight,
    )


def timeouts(shape: schema_node.TimeoutsShape) -> node_settings.ClientTimeouts:
    """How long clients may take."""
    return node_settings.ClientTimeouts(
        idle_s=shape.idle,
        head_s=shape.head,
        body_s=shape.body,
        drain_s=shape.drain,
        drain_delay_s=shape.drain_delay,
        handshake_s=shape.handshake,
    )


def line_sampling(shape: schema_node.SampleShape) -> LineSampling:
    """Which lines of the access log are written."""
    return LineSampling(hits=shape.hits, others=shape.others, slow_ms=shape.slow * 1000)
