"""The copy of the policy that workers start from."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import psutil

from tests.support.certificates import new_pair
from veneer.policy.listener_tls import CertificatePair, certificate_of, server_context
from veneer.policy.load import load_policy
from veneer.policy.model import Policy
from veneer.policy.settings import NO_OVERRIDES
from veneer.policy.tls import tls_context
from veneer.policy.watch import PolicySource
from veneer.workers.last_good import LastGood, load_kept

ONE = "routes: [{name: one, match: {path: /a}}]\n"
TWO = "routes: [{name: two, match: {path: /a}}]\n"


async def test_the_copy_follows_what_is_right_and_nothing_else(tmp_path: Path) -> None:
    file, copy = tmp_path / "policies.yaml", tmp_path / "copy.yaml"
    file.write_text(ONE)
    last_good = LastGood(file, copy, NO_OVERRIDES)
    source = PolicySource(last_good.load(), last_good.load, last_good.reloaded)
    last_good.keep()
    for text, right in ((ONE, ONE), ("routez: []\n", ONE), ("", ONE), (TWO, TWO), ("a: [", TWO)):
        file.write_text(text)
        await source.reload()
        assert copy.read_text() == right
        # as a worker reads it: the same policy as everybody's, by its digest
        assert load_policy(copy).version_digest == source.current.version_digest


async def test_included_files_are_kept_as_they_were(tmp_path: Path) -> None:
    file, copy, other = tmp_path / "policies.yaml", tmp_path / "kept" / "copy.yaml", tmp_path / "more.yaml"
    copy.parent.mkdir()
    file.write_text("include: [more.yaml]\n")
    other.write_text(ONE)
    last_good = LastGood(file, copy, NO_OVERRIDES)
    source = PolicySource(last_good.load(), last_good.load, last_good.reloaded)
    last_good.keep()
    for text, right in (("routez: []\n", "one"), (TWO, "two"), ("a: [", "two")):
        other.write_text(text)
        await source.reload()
        kept = load_kept(copy, NO_OVERRIDES)
        assert [route.name for route in kept.routes] == [right, "default"]
        assert kept.version_digest == source.current.version_digest


async def test_who_starts_while_a_certificate_or_a_secret_is_broken_has_the_last_good_one(tmp_path: Path) -> None:
    file, copy, secret = tmp_path / "policies.yaml", tmp_path / "kept" / "copy.yaml", tmp_path / "secret"
    copy.parent.mkdir()
    pair = new_pair(tmp_path, "own")
    secret.write_text("redis://one:6379\n")
    listener = f'listeners: [{{address: "127.0.0.1:8443", tls: {pair.as_policy()}}}]\n'
    backend = f"upstreams: {{default: {{url: https://a.example, tls: {{ca: {pair.certificate}}}}}}}\n"
    file.write_text(f"{listener}{backend}stores: {{redis: {{url: {{file: {secret}}}}}}}\n")
    last_good = LastGood(file, copy, NO_OVERRIDES)
    source = PolicySource(last_good.load(), last_good.load, last_good.reloaded)
    last_good.keep()
    first = pair.certificate.read_bytes()

    async def both_broken() -> Policy:
        pair.certificate.write_text("no certificate")
        pair.key.unlink()
        secret.unlink()
        outcome = await source.reload()
        assert outcome.error is not None
        kept = load_kept(copy, NO_OVERRIDES, last_good.files())
        assert (kept.listeners, kept.upstreams) == (source.current.listeners, source.current.upstreams)
        assert kept.version_digest == source.current.version_digest
        return kept

    kept = await both_broken()
    tls = kept.listeners[0].tls
    assert tls is not None
    assert server_context(tls) is not None
    assert tls_context(kept.upstreams["default"].tls).get_ca_certs()
    assert kept.stores.redis_url == "redis://one:6379"
    assert not [path for path in copy.parent.iterdir() if b"PRIVATE KEY" in path.read_bytes()]

    new_pair(tmp_path, "own", ends=dt.datetime(2090, 1, 1, tzinfo=dt.UTC))
    secret.write_text("redis://two:6379\n")
    assert (await source.reload()).changed
    second = pair.certificate.read_bytes()
    again = tmp_path / "again.pem"
    again.write_bytes(second)
    kept = await both_broken()
    tls = kept.listeners[0].tls
    assert tls is not None
    assert first != second
    assert tls.pairs[0].held == certificate_of(CertificatePair(str(again)))
    assert kept.stores.redis_url == "redis://two:6379"
    last_good.close()
    assert last_good.files() == {}


async def test_copies_in_memory_do_not_become_more(tmp_path: Path) -> None:
    file, copy = tmp_path / "policies.yaml", tmp_path / "copy.yaml"
    pair = new_pair(tmp_path, "own")
    file.write_text(f'listeners: [{{address: "127.0.0.1:8443", tls: {pair.as_policy()}}}]\n')
    last_good = LastGood(file, copy, NO_OVERRIDES)
    source = PolicySource(last_good.load(), last_good.load, last_good.reloaded)
    last_good.keep()
    before = psutil.Process().num_fds()
    for number in range(12):
        if number % 3 == 0:
            new_pair(tmp_path, "own")
        if number % 3 == 2:
            pair.key.write_text("broken")
        await source.reload()
        await source.reload()
    last_good.close()
    assert psutil.Process().num_fds() <= before
