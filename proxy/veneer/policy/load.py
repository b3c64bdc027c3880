"""policies.yaml to a Policy, or every reason why not."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from veneer.policy.build import Builder
from veneer.policy.decode import decode
from veneer.policy.document import MAX_CHARS, read_document
from veneer.policy.expectations import Answer, run_tests
from veneer.policy.model import Policy
from veneer.policy.problems import ConfigError, PolicyError
from veneer.policy.settings import NO_OVERRIDES, Overrides
from veneer.policy.warnings import warnings_of


def load_policy(path: Path, overrides: Overrides = NO_OVERRIDES) -> Policy:
    """The policy in a file. Raises PolicyError, also when the file cannot be read."""
    return parse_policy(read_text(path), str(path), overrides)


def parse_policy(text: str, name: str, overrides: Overrides = NO_OVERRIDES) -> Policy:
    """The policy in a text; `name` stands for the file in reports. Raises PolicyError and nothing else."""
    document = read_document(text, name)
    decoded = decode(document)
    builder = Builder(document, decoded.shape, overrides, list(decoded.problems))
    policy = builder.build(_digest(text, overrides), decoded.routes)
    if not builder.problems:
        tests = dict(zip(decoded.tests, decoded.shape.tests, strict=True))
        builder.problems.extend(run_tests(document, tests, policy))
    if builder.problems:
        raise PolicyError(name, builder.problems)
    return replace(policy, is_empty=document.root is None, warnings=warnings_of(document, policy))


def failing_tests(text: str, name: str, policy: Policy, answer: Answer) -> tuple[ConfigError, ...]:
    """What fails of the tests in `text`, of which `policy` was made, where `answer` has the responses to judge by."""
    document = read_document(text, name)
    decoded = decode(document)
    tests = dict(zip(decoded.tests, decoded.shape.tests, strict=True))
    return tuple(run_tests(document, tests, policy, answer))


def default_policy(upstream_url: str | None = None) -> Policy:
    """The policy without a file: a standards-obeying shared cache without a rate limit. Raises PolicyError."""
    return parse_policy("", "no policy file", Overrides(upstream_url=upstream_url))


def read_text(path: Path) -> str:
    """The text of a policy file. Raises PolicyError."""
    try:
        with path.open("rb") as file:
            data = file.read(4 * MAX_CHARS + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PolicyError(str(path), [ConfigError(0, 0, "", f"cannot be read: {reason}")]) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyError(str(path), [ConfigError(line, 1, "", "not UTF-8 text")]) from None


def _digest(text: str, overrides: Overrides) -> str:
    return hashlib.sha256(f"{overrides!r}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
