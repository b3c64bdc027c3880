"""The JSON Schema that editors read, on every golden file: right ones pass, and wrong ones as far as form goes."""

from __future__ import annotations

from pathlib import Path

import jsonschema_rs
import pytest

from devstack.process import ROOT
from tests.golden.cases import CASES, outcome_of, split
from veneer.cli.main import main
from veneer.policy.decode import decode
from veneer.policy.document import read_document
from veneer.policy.json_schema import main as write
from veneer.policy.json_schema import policy_schema, render
from veneer.policy.problems import PolicyError

SHIPPED = ROOT / "docs" / "policies.schema.json"
POLICIES = sorted([ROOT / "policies.yaml", *(ROOT / "examples").rglob("policies*.yaml")])

UNREADABLE = {case.stem for case in CASES if case.stem.startswith("16")} | {
    "17_tabs", "18_duplicate_keys", "19_merge_keys_and_tags", "20_alias_bomb", "21_too_deep",
    "22_two_documents", "44_braces_in_flow_mappings", "49d_variable_in_flow",
}  # fmt: skip
"""What no schema sees: it is not YAML, or not the YAML of policies."""

BEYOND = {
    "49_variables": "what is not filled in: the value of a variable may be anything",
    "63_key_sets": "bounds of durations and sizes",
}
"""Files whose form is wrong in a way that a schema cannot know. What is wrong in files of right form, it never knows:
names that have to exist, what a URL, a path or a tag is, routes that others hide, what goes with what, tests."""


@pytest.fixture(scope="module")
def schema() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(policy_schema())


@pytest.mark.parametrize("case", [case for case in CASES if case.stem not in UNREADABLE], ids=lambda path: path.stem)
def test_a_golden_policy(schema: jsonschema_rs.Draft202012Validator, case: Path) -> None:
    document = read_document(split(case)[0], "p")
    wrong = [str(problem.message) for problem in decode(document).problems]
    refused = [error.message for error in schema.iter_errors(document.plain())]
    if case.stem in BEYOND:
        assert (wrong != [], refused) == (True, [])
    else:
        assert (refused != []) == (wrong != []), (refused, wrong)


@pytest.mark.no_cover
def test_every_right_file_passes_and_most_wrong_forms_do_not(schema: jsonschema_rs.Draft202012Validator) -> None:
    texts = [split(case) for case in CASES if case.stem not in UNREADABLE]
    right = [text for text, outcome in texts if outcome_of(text) == outcome and "policies.yaml:" not in outcome]
    assert len(right) >= 5
    assert all(schema.is_valid(read_document(text, "p").plain()) for text in right)
    refused = [text for text, _ in texts if not schema.is_valid(read_document(text, "p").plain())]
    assert len(refused) >= 20
    assert not set(refused) & set(right)


@pytest.mark.parametrize("stem", sorted(UNREADABLE))
def test_what_no_schema_sees_is_refused_before(stem: str) -> None:
    (text,) = [split(case)[0] for case in CASES if case.stem == stem]
    with pytest.raises(PolicyError):
        read_document(text, "p")


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.parent.name)
def test_the_policies_that_are_shipped(schema: jsonschema_rs.Draft202012Validator, path: Path) -> None:
    assert list(schema.iter_errors(read_document(path.read_text("utf-8"), "p").plain())) == []


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("limits: {body: 10MB}", True),
        ("limits: {body: 10}", False),
        ('limits: {in_flight: "${MOST}"}', True),
        ("limits: {in_flight: many}", False),
        ("defaults: {cache: {ttl: {404: 10s, 5xx: 0, default: 5m}}}", True),
        ("defaults: {cache: {ttl: {4xy: 10s}}}", False),
        ("defaults: {response: {set: {X-A: {file: /run/secrets/a}}}}", True),
        ("defaults: {rate_limit: one}", True),
        ("defaults: {rate_limit: [one, two]}", True),
        ("defaults: {rate_limit: {a: b}}", False),
        ("defaults: {cache: {enabled: yes}}", False),
        ("changes: {db: {posted: {}, tables: {users: [a, {tag: b}]}}}", True),
    ],
)
def test_spellings(schema: jsonschema_rs.Draft202012Validator, text: str, taken: bool) -> None:
    assert schema.is_valid(read_document(text, "p").plain()) is taken


def test_what_is_shipped_is_current_and_named_by_the_policy(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert SHIPPED.read_text("utf-8") == render(), "run `python -m veneer.policy.json_schema docs/policies.schema.json`"
    assert main(["schema"]) == 0
    assert capsys.readouterr().out == render()
    first = (ROOT / "policies.yaml").read_text("utf-8").partition("\n")[0]
    assert first == "# yaml-language-server: $schema=docs/policies.schema.json"
    assert (write([str(tmp_path / "s.json")]), write([])) == (0, 2)


def test_each_key_says_what_it_means() -> None:
    definitions = policy_schema()["$defs"]
    assert isinstance(definitions, dict)
    limits = definitions["LimitsShape"]
    assert isinstance(limits, dict)
    properties = limits["properties"]
    assert isinstance(properties, dict)
    assert all(isinstance(one, dict) and one["description"] for one in properties.values())
