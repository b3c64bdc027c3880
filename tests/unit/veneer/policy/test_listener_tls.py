"""Certificates of listeners: what is wrong with a pair, and where; which one is shown."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import pytest

from tests.support.certificates import Pair, new_pair
from veneer.policy.listener_tls import CertificatePair, ListenerTls, certificate_of, server_context
from veneer.policy.listeners import time_warnings
from veneer.policy.load import parse_policy
from veneer.policy.model import Policy
from veneer.policy.problems import PolicyError


def policy_with(tls: str) -> Policy:
    return parse_policy(f'version: 1\nlisteners:\n  - {{address: "127.0.0.1:8443", tls: {tls}}}\n', "p")


def problem(tls: str) -> str:
    with pytest.raises(PolicyError) as found:
        policy_with(tls)
    assert len(found.value.problems) == 1
    return found.value.problems[0].report("p")


def test_a_right_pair_is_right(tmp_path: Path) -> None:
    pair = new_pair(tmp_path, "a")
    policy = policy_with(pair.as_policy(', min_version: "1.3"'))
    tls = policy.listeners[0].tls
    assert tls is not None
    assert policy.listeners[0].scheme == "https"
    assert server_context(tls).minimum_version is ssl.TLSVersion.TLSv1_3
    assert set(policy.files) == {str(pair.certificate), str(pair.key)}, "both are watched"
    assert time_warnings(policy.listeners, dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp()) == ()


def test_what_is_wrong_with_a_pair_is_told_with_its_place(tmp_path: Path) -> None:
    pair, other = new_pair(tmp_path, "a"), new_pair(tmp_path, "b")
    locked = new_pair(tmp_path, "locked", secret=b"secret")
    text = tmp_path / "text.pem"
    text.write_text("nothing", "utf-8")
    at = "p:3:"
    gone = problem(f"{{certificate: {tmp_path}/none.pem, key: {pair.key}}}")
    assert gone.startswith(at)
    assert "listeners[0].tls.certificate" in gone
    assert "cannot be read: No such file or directory" in gone
    mismatch = problem(f"{{certificate: {pair.certificate}, key: {other.key}}}")
    assert "listeners[0].tls.key" in mismatch
    assert "the key of another certificate" in mismatch
    assert "a key with a password" in problem(f"{{certificate: {locked.certificate}, key: {locked.key}}}")
    assert "does not hold a certificate in PEM" in problem(f"{{certificate: {text}, key: {pair.key}}}")
    assert "does not hold the key in PEM" in problem(f"{{certificate: {pair.certificate}, key: {text}}}")
    assert "does not hold the key in PEM" in problem(f"{{certificate: {pair.certificate}}}")
    assert "is not an absolute path" in problem("{certificate: a.pem}")
    beside = problem(pair.as_policy(f", others: [{{certificate: {other.certificate}, key: {pair.key}}}]"))
    assert "listeners[0].tls.others[0].key" in beside


def test_a_pair_out_of_its_time_is_warned_about_where_it_is_named(tmp_path: Path) -> None:
    pair = new_pair(tmp_path, "a", ends=dt.datetime(2021, 1, 1, tzinfo=dt.UTC))
    listeners = policy_with(pair.as_policy()).listeners
    (late,) = time_warnings(listeners, dt.datetime(2021, 1, 1, tzinfo=dt.UTC).timestamp())
    assert late.report("p").startswith("p:3:")
    assert "has expired on 2021-01-01 00:00 UTC" in late.message
    (early,) = time_warnings(listeners, dt.datetime(2019, 1, 1, tzinfo=dt.UTC).timestamp())
    assert "holds only from 2020-01-01" in early.message
    end = dt.datetime(2021, 1, 1, tzinfo=dt.UTC).timestamp()
    (soon,) = time_warnings(listeners, end - 13 * 86_400)
    assert "expires on 2021-01-01 00:00 UTC: from then on clients refuse it" in soon.message
    assert time_warnings(listeners, end - 15 * 86_400) == ()
    pair.certificate.unlink()
    assert time_warnings(listeners, end) == (late,), "what is in force counts, not what is on disk"


def test_a_changed_file_is_another_policy(tmp_path: Path) -> None:
    pair = new_pair(tmp_path, "a")
    before = policy_with(pair.as_policy())
    new_pair(tmp_path, "a")
    after = policy_with(pair.as_policy())
    assert before.version_digest != after.version_digest
    assert before.listeners != after.listeners


def shown_to(server: ssl.SSLContext, name: str | None, pair: Pair) -> bytes:
    """The certificate that a client gets which asks for a name."""
    client_context = pair.trusting()
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    serving = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, serving):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.getpeercert(binary_form=True) or b""


def test_the_name_that_is_asked_for_chooses_the_pair(tmp_path: Path) -> None:
    first = new_pair(tmp_path, "first", names=("first.example",))
    second = new_pair(tmp_path, "second", names=("second.example", "*.second.example"))
    pairs = [CertificatePair(str(pair.certificate), str(pair.key)) for pair in (first, second)]
    server = server_context(ListenerTls(tuple(pairs)))
    own = [ssl.PEM_cert_to_DER_cert(pair.certificate.read_text("ascii")) for pair in (first, second)]
    asked = ("first.example", "Second.Example", "a.second.example", "a.b.second.example", "other.example", None)
    assert [own.index(shown_to(server, name, first)) for name in asked] == [0, 1, 1, 0, 0, 0]
    assert certificate_of(pairs[1]).names == ("second.example", "*.second.example")
