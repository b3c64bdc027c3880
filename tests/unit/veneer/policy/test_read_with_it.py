"""Files that a policy names and others use: with another content it is another policy, though its text is the same."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.tokens import OTHER_SECRET, SECRET
from veneer.policy.load import load_policy
from veneer.policy.model import Policy
from veneer.policy.model_identity import JwtIdentity
from veneer.policy.problems import PolicyError
from veneer.policy.render import render_policy
from veneer.policy.watch import PolicySource, watch_file

CERTIFICATE = Path(__file__).parents[3] / "support" / "localhost.pem"
KEYS = "identities: {api: {jwt: {keys: [{secret_file: key}], values: {tenant: sub}}}}\n"


def written(directory: Path, text: str, secret: str = SECRET) -> Path:
    (directory / "key").write_text(secret + "\n", "utf-8")
    path = directory / "policies.yaml"
    path.write_text(text, "utf-8")
    return path


def key_of(policy: Policy) -> str:
    proof = policy.identities[0].proof
    assert isinstance(proof, JwtIdentity)
    return proof.keys[0].text


def test_a_renewed_secret_makes_another_policy_with_the_same_identities(tmp_path: Path) -> None:
    before = load_policy(written(tmp_path, KEYS))
    after = load_policy(written(tmp_path, KEYS, OTHER_SECRET))
    assert (key_of(before), key_of(after)) == (SECRET, OTHER_SECRET)
    assert before.version_digest != after.version_digest
    assert before.identities[0].digest == after.identities[0].digest
    assert str(tmp_path / "key") in before.files


def test_no_secret_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", OTHER_SECRET)
    policy = load_policy(written(tmp_path, KEYS.replace("{secret_file: key}", "{secret_file: key}, {secret_env: KEY}")))
    assert policy.secrets == (SECRET, OTHER_SECRET)
    for shown in (repr(policy.identities), render_policy(policy)):
        assert SECRET not in shown
        assert OTHER_SECRET not in shown


def test_a_secret_that_is_gone_leaves_the_policy_that_was_there(tmp_path: Path) -> None:
    path = written(tmp_path, KEYS)
    (tmp_path / "key").unlink()
    with pytest.raises(PolicyError, match=r"secret_file: .*cannot be read"):
        load_policy(path)


async def test_a_renewed_secret_is_taken_up_though_the_text_is_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, KEYS)
    source = PolicySource(load_policy(path), lambda: load_policy(path))
    assert not (await source.reload()).changed
    written(tmp_path, KEYS, OTHER_SECRET)
    looks = 0

    async def sleep(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks > 4:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await watch_file(source, path, sleep)
    assert key_of(source.current) == OTHER_SECRET


def test_renewed_files_of_tls_are_other_settings_of_the_upstream(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(CERTIFICATE.read_bytes())
    path = written(tmp_path, f"upstreams: {{a: {{url: 'https://a.example', tls: {{ca: {ca}}}}}}}\n")
    before, same = load_policy(path), load_policy(path)
    ca.write_bytes(CERTIFICATE.read_bytes() + b"\n")
    after = load_policy(path)
    assert before.upstreams["a"] == same.upstreams["a"] != after.upstreams["a"]
    assert before.version_digest == same.version_digest != after.version_digest
    assert str(ca) in before.files
