"""Asking a backend for one response, to judge a policy by what it really answers."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from veneer.core.fields import Fields
from veneer.core.messages import DEFAULT_AUTHORITY, RequestHead, ResponseHead
from veneer.policy.expectations import UnansweredError
from veneer.policy.model import Policy
from veneer.policy.schema_tests import TestShape
from veneer.policy.tls import tls_context

SENT = frozenset({"GET", "HEAD"})
"""What can be asked without changing anything, and without content."""


def as_answered(policy: Policy, request: RequestHead, test: TestShape) -> ResponseHead | None:
    """The backend's response to a test that gives none itself and asks for something. Raises UnansweredError."""
    if "response" in test.model_fields_set or request.method not in SENT:
        return None
    return ask(policy, request)


def ask(policy: Policy, request: RequestHead) -> ResponseHead:
    """Send a request to the backend of its route, past every cache. Raises UnansweredError."""
    if request.method not in SENT:
        msg = f"{request.method} is not sent: it could change something; give the response with -R"
        raise UnansweredError(msg)
    route = policy.match_of(request).route
    upstream = policy.upstreams[route.upstream]
    url = urlsplit(upstream.url)
    if url.scheme == "unix" or upstream.tls.server_name is not None:
        msg = f"{upstream.url} is not asked from here: give the response with -R"
        raise UnansweredError(msg)
    timeout_s = route.read_timeout_s or upstream.read_timeout_s
    connection = (
        http.client.HTTPSConnection(url.netloc, timeout=timeout_s, context=tls_context(upstream.tls))
        if url.scheme == "https"
        else http.client.HTTPConnection(url.netloc, timeout=timeout_s)
    )
    own_host = upstream.preserve_host and request.authority != DEFAULT_AUTHORITY
    try:
        connection.putrequest(request.method, url.path + request.target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", request.authority if own_host else url.netloc)
        for name, value in request.fields.pairs:
            if name.lower() != "host" and not (route.compress.enabled and name.lower() == "accept-encoding"):
                connection.putheader(name, value.encode("latin-1"))
        connection.endheaders()
        response = connection.getresponse()
        return ResponseHead(response.status, response.reason, Fields(response.getheaders()))
    except (OSError, http.client.HTTPException, ValueError) as error:
        msg = (
            f"{upstream.url} gave no answer to {request.method} {request.target}: {str(error) or type(error).__name__}"
        )
        raise UnansweredError(msg) from error
    finally:
        connection.close()
