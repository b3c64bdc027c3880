"""What is told of a file that is no YAML; what it says of each mistake is in tests/golden/16*.txt."""

from __future__ import annotations

import pytest

from veneer.policy.load import parse_policy
from veneer.policy.problems import PolicyError, SourcePosition
from veneer.policy.syntax import fault

TEXT = """\
version: 1
limits: {head: 8KB, connections: 100}
routes:
  # the first
  - name: "a"
    match: {path: /a, methods: [GET, HEAD]}

  - name: b
    match: {path: '/b'}
"""


def told(text: str) -> list[str]:
    try:
        parse_policy(text, "p")
    except PolicyError as error:
        return [problem.report("p") for problem in error.problems]
    return []


@pytest.mark.no_cover
@pytest.mark.parametrize("sign", ["", " ", "  ", ":", "- ", '"', "{", "}", "[", "@", "*", "%", "\\", "\t", "\n", "\n "])
def test_whatever_is_cut_or_put_in_is_told_with_a_place_in_the_file(sign: str) -> None:
    for at in range(len(TEXT)):
        for text in (TEXT[:at] + sign + TEXT[at:], TEXT[:at] + sign):
            for line in told(text):
                assert line.startswith("p:"), (text, line)
                assert 1 <= int(line.split(":")[1]) <= text.count("\n") + 1, (text, line)


def test_what_nothing_is_known_of_is_told_in_the_words_of_yaml() -> None:
    at = SourcePosition(9, 1)
    assert fault("while flying", at, None, "a: 1") == (at, "not YAML: while flying", None)


@pytest.mark.parametrize(
    "text",
    [
        "stores:\n  redis:\n    url redis://:hunter2@a\n    timeout: 1s\n",
        "stores: {redis: {url: @hunter2}}\n",
        "stores:\n  redis:\n    url: redis: hunter2: a\n",
    ],
)
def test_values_are_not_shown(text: str) -> None:
    (line,) = told(text)
    assert "hunter2" not in line
