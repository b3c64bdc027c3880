"""From the checked sections `limits`, `timeouts` and `logging` to what obeys them."""

from __future__ import annotations

from veneer.core.line_sampling import LineSampling
from veneer.policy import node_settings, schema_node
from veneer.policy.taken_over import taken_over


def size_limits(shape: schema_node.LimitsShape) -> node_settings.SizeLimits:
    """The bounds on what clients may send."""
    return taken_over(shape, node_settings.SizeLimits())


def timeouts(shape: schema_node.TimeoutsShape) -> node_settings.ClientTimeouts:
    """How long clients may take."""
    return taken_over(shape, node_settings.ClientTimeouts())


def line_sampling(shape: schema_node.SampleShape) -> LineSampling:
    """Which lines of the access log are written."""
    return LineSampling(hits=shape.hits, others=shape.others, slow_ms=shape.slow * 1000)
