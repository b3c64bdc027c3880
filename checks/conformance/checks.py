"""What a test demands of each response and of what the origin saw; the meaning of every `expected_*` field.

A failed check is a `CheckError`. Where it is marked `setup`, the test has not even begun: the proxy does something the
test builds on differently, and the verdict is neither pass nor fail.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, UnsetType

from checks.conformance.client import Response
from checks.conformance.magic import resolve
from checks.conformance.script import NO_BODY_STATUS, Seen
from checks.conformance.suite import ExpectedField, Interim, Outcome, Step
from checks.conformance.wire import Lines, leading_int

RETRY = "the origin was asked twice for one request"


class CheckError(Exception):
    """A demand of the test was not met."""

    def __init__(self, message: str, *, setup: bool) -> None:
        super().__init__(message)
        self.setup = setup


class NotSeenError(Exception):
    """The origin never saw a request whose details the test asks about."""


def require(condition: object, message: str, *, setup: bool) -> None:
    """Raise CheckError unless `condition` holds."""
    if not condition:
        raise CheckError(message, setup=setup)


def check_response(step: Step, number: int, response: Response, token: str) -> None:
    """Everything that can be told from the response to request `number` alone. Raises CheckError, FetchError."""
    _check_no_retry(response.lines)
    _check_source(step, number, response)
    _check_status(step, number, response.status)
    _check_fields(step, number, response.lines)
    _check_missing_fields(step, number, response.lines)
    _check_interim(step, response)
    _check_body(step, response.status, response.text(), token)


def _check_no_retry(lines: Lines) -> None:
    numbers = (lines.get("request-numbers") or "").split()
    require(len(numbers) == len(set(numbers)), RETRY, setup=True)


def _check_source(step: Step, number: int, response: Response) -> None:
    """Whether the response came from the cache: the origin counts what it has seen."""
    count = leading_int(response.lines.get("server-request-count"))
    setup = step.is_setup("expected_type")
    if step.expected_type is Outcome.CACHED and not (response.status == 304 and count is None):
        require(count is not None and count < number, f"response {number} does not come from the cache", setup=setup)
    if step.expected_type is Outcome.NOT_CACHED:
        require(count == number, f"response {number} comes from the cache", setup=setup)


def _check_status(step: Step, number: int, status: int) -> None:
    if not isinstance(step.expected_status, UnsetType):
        if step.expected_status is not None:
            message = f"response {number} has status {status} instead of {step.expected_status}"
            require(status == step.expected_status, message, setup=step.is_setup("expected_status"))
    elif step.response_status is not None:
        wanted = step.response_status[0]
        require(status == wanted, f"response {number} has status {status} instead of {wanted}", setup=True)
    elif status == 999:
        message = f"request {number} was not made conditional on the stored validator"
        raise CheckError(message, setup=step.is_setup("expected_type"))
    else:
        require(status == 200, f"response {number} has status {status} instead of 200", setup=True)


def _check_fields(step: Step, number: int, lines: Lines) -> None:
    setup = step.is_setup("expected_response_headers")
    for expected in step.expected_response_headers:
        if isinstance(expected, str):
            require(expected in lines, f"response {number} has no {expected}", setup=setup)
            continue
        got = lines.get(expected.name)
        if expected.operand is None:
            wanted = resolve(expected.name, expected.value, step, lines.get)
            require(got == wanted, f"response {number}: {expected.name} is {got!r} instead of {wanted!r}", setup=setup)
        else:
            require(got is not None, f"response {number} has no {expected.name}", setup=setup)
            message = f"response {number}: {expected.name} is {got!r}, not {expected.value} {expected.operand}"
            require(_compare(expected, got, lines), message, setup=setup)


def _compare(expected: ExpectedField, got: str | None, lines: Lines) -> bool:
    if expected.value == "=":
        return got == lines.get(str(expected.operand))
    if expected.value == ">" and isinstance(expected.operand, int):
        number = leading_int(got)
        return number is not None and number > expected.operand
    raise ValueError(f"unknown comparison {expected}")


def _check_missing_fields(step: Step, number: int, lines: Lines) -> None:
    """Fields that must not be there.

    A pair of name and value is not judged: the suite's own engine looks such a field up in a way that never finds it,
    and published results rest on that.
    """
    setup = step.is_setup("expected_response_headers_missing")
    for name in step.expected_response_headers_missing:
        if isinstance(name, str):
            require(name not in lines, f"response {number} has {name}: {lines.get(name)}", setup=setup)


def _check_interim(step: Step, response: Response) -> None:
    if isinstance(step.expected_interim_responses, UnsetType):
        return
    setup = step.is_setup("expected_interim_responses")
    for index, expected in enumerate(step.expected_interim_responses):
        require(index < len(response.interim), f"no interim response {expected.status}", setup=setup)
        _check_one_interim(expected, *response.interim[index], setup=setup)
    extra = len(response.interim) - len(step.expected_interim_responses)
    require(extra == 0, f"{extra} interim responses too many", setup=setup)


def _check_one_interim(expected: Interim, status: int, lines: Lines, *, setup: bool) -> None:
    require(status == expected.status, f"interim response {status} instead of {expected.status}", setup=setup)
    for name, _ in expected.fields:
        # Presence only: the suite's own engine compares no value here.
        require(name in lines, f"interim response {status} has no {name}", setup=setup)


def _check_body(step: Step, status: int, text: str, token: str) -> None:
    if not step.check_body:
        return
    if step.expected_response_text is not UNSET:
        if step.expected_response_text is not None:
            message = f"body is {text!r} instead of {step.expected_response_text!r}"
            require(text == step.expected_response_text, message, setup=step.is_setup("expected_response_text"))
    elif step.response_body is not UNSET and step.response_body is not None:
        require(text == step.response_body, f"body is {text!r} instead of {step.response_body!r}", setup=True)
    elif status not in NO_BODY_STATUS and step.request_method != "HEAD":
        require(text == token, f"body is {text!r} instead of {token!r}", setup=True)


def check_seen(steps: Sequence[Step], responses: Sequence[Response], seen: Sequence[Seen]) -> None:
    """Compare what the origin saw with what it had to see. Raises CheckError, NotSeenError."""
    index = 0
    for number, (step, response) in enumerate(zip(steps, responses, strict=True), 1):
        if step.expected_type is Outcome.CACHED:
            continue
        request = seen[index] if index < len(seen) else None
        index += 1
        _check_request(step, number, request)
        if request is not None:
            _check_unchanged(number, response.lines, request)
        if step.expected_method is not None:
            method = _present(request, number).request_method
            message = f"request {number} reached the origin as {method} instead of {step.expected_method}"
            require(method == step.expected_method, message, setup=step.is_setup("expected_method"))


def _present(request: Seen | None, number: int) -> Seen:
    if request is None:
        raise NotSeenError(f"request {number} did not reach the origin")
    return request


def _check_request(step: Step, number: int, request: Seen | None) -> None:
    setup = step.is_setup("expected_type")
    if step.expected_type is Outcome.NOT_CACHED:
        came = _present(request, number).request_num
        require(came == number, f"the origin saw request {came} instead of {number}", setup=setup)
    elif step.expected_type is not None and step.expected_type.is_validated:
        condition = "if-none-match" if step.expected_type is Outcome.ETAG_VALIDATED else "if-modified-since"
        require(request is not None, f"request {number} did not reach the origin", setup=setup)
        fields = _present(request, number).request_headers
        require(condition in fields, f"request {number} reached the origin without {condition}", setup=setup)
    _check_request_fields(step, number, request)


def _check_request_fields(step: Step, number: int, request: Seen | None) -> None:
    setup = step.is_setup("expected_request_headers")
    for expected in step.expected_request_headers:
        name, wanted = (expected, None) if isinstance(expected, str) else expected
        got = _present(request, number).request_headers.get(name.lower())
        message = f"request {number} reached the origin with {name}: {got}"
        require(got is not None if wanted is None else got == wanted, message, setup=setup)
    setup = step.is_setup("expected_request_headers_missing")
    for unwanted in step.expected_request_headers_missing:
        name, value = (unwanted, None) if isinstance(unwanted, str) else unwanted
        got = _present(request, number).request_headers.get(name.lower())
        message = f"request {number} reached the origin with {name}: {got}"
        require(got is None if value is None else got != value, message, setup=setup)


def _check_unchanged(number: int, lines: Lines, request: Seen) -> None:
    """Every field of the origin's script has to arrive as it was sent; Date is left out, as the suite does."""
    for name, sent in request.response_headers:
        if name.lower() == "date":
            continue
        wanted = ", ".join(sent) if isinstance(sent, list) else sent
        got = lines.get(name)
        require(got == wanted, f"response {number}: {name} is {got!r} instead of {wanted!r}", setup=True)
