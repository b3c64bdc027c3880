"""policies.yaml to a Policy, or every reason why not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from veneer.policy.build import Builder
from veneer.policy.decode import decode, takes_mapping
from veneer.policy.expectations import Answer, run_tests
from veneer.policy.including import read_whole
from veneer.policy.model import Policy
from veneer.policy.problems import ConfigError, PolicyError, without_secrets
from veneer.policy.settings import NO_OVERRIDES, Overrides
from veneer.policy.sources import Sources, read_text
from veneer.policy.warnings import warnings_of
from veneer.policy.written import WrittenPolicy

NO_FILE: Final = "no policy file"
"""What a policy is called that no file has been given for."""


def load_policy(path: Path, overrides: Overrides = NO_OVERRIDES) -> Policy:
    """The policy in a file. Raises PolicyError, also when the file cannot be read."""
    return parse_policy(read_text(path), str(path), overrides)


def parse_policy(text: str, name: str, overrides: Overrides = NO_OVERRIDES, sources: Sources | None = None) -> Policy:
    """The policy in a text; `name` stands for the file in reports. Raises PolicyError and nothing else.

    What the text takes from elsewhere is looked for in `sources`; beside the file, and in the environment, without.
    """
    sources = sources or Sources(Path(name).parent)
    try:
        return _parsed(text, name, overrides, sources)
    except PolicyError as error:
        found = [_discreet(problem, tuple(sources.secrets)) for problem in error.problems]
        raise PolicyError(error.name, found) from None


def _parsed(text: str, name: str, overrides: Overrides, sources: Sources) -> Policy:
    document = read_whole(text, name, sources, takes_mapping)
    decoded = decode(document)
    builder = Builder(document, decoded.shape, overrides, sources, [*decoded.problems, *sources.problems])
    policy = builder.build(decoded.routes)
    if not builder.problems:
        tests = dict(zip(decoded.tests, decoded.shape.tests, strict=True))
        builder.problems.extend(run_tests(document, tests, policy))
    if builder.problems:
        missing = {(problem.file, problem.line, problem.column) for problem in sources.problems}
        others = [found for found in builder.problems if (found.file, found.line, found.column) not in missing]
        raise PolicyError(name, [*sources.problems, *others])
    files = tuple(dict.fromkeys(map(str, sources.files)))
    return replace(
        policy,
        version_digest=_digest(text, overrides, sources.used),
        is_empty=document.root is None,
        warnings=warnings_of(document, policy),
        files=files,
        secrets=tuple(sources.secrets),
        written=WrittenPolicy(document, overrides, sources.environment, tuple(sources.secrets)).values,
    )


def failing_tests(text: str, name: str, policy: Policy, answer: Answer) -> tuple[ConfigError, ...]:
    """What fails of the tests in `text`, of which `policy` was made, where `answer` has the responses to judge by."""
    document = read_whole(text, name, Sources(Path(name).parent), takes_mapping)
    decoded = decode(document)
    tests = dict(zip(decoded.tests, decoded.shape.tests, strict=True))
    return tuple(run_tests(document, tests, policy, answer))


def default_policy(upstream_url: str | None = None) -> Policy:
    """The policy without a file: a standards-obeying shared cache without a rate limit. Raises PolicyError."""
    return parse_policy("", NO_FILE, Overrides(upstream_url=upstream_url))


def _discreet(problem: ConfigError, secrets: tuple[str, ...]) -> ConfigError:
    """The problem without what was read from a secret's file."""
    hint = problem.suggestion
    hidden = None if hint is None else without_secrets(hint, secrets)
    return replace(problem, message=without_secrets(problem.message, secrets), suggestion=hidden)


def _digest(text: str, overrides: Overrides, used: Iterable[str]) -> str:
    """Stands for all that the policy was made of."""
    said = "\n".join((repr(overrides), text, *used))
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]
