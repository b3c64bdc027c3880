"""`veneer purge`: show what a purge reaches, ask where that is much, and make it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping

import msgspec

from veneer.admin.views import DryRun
from veneer.cli.admin_client import BAD, FINE, WRONG_USE, AdminClient, client_of, run
from veneer.cli.tables import size
from veneer.ports import Receipt


def purge_command(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """0 when every live node has applied it; 1 where nothing was purged, or not everywhere."""
    asked: dict[str, object] = {"tags": arguments.tag, "urls": arguments.url, "prefixes": arguments.prefix}
    asked |= {"everything": arguments.everything, "soft": arguments.soft}
    if not (arguments.tag or arguments.url or arguments.prefix or arguments.everything):
        sys.stderr.write("nothing to purge: name tags, --url, --prefix or --everything\n")
        return WRONG_USE

    def command() -> int:
        client = client_of(arguments, environment)
        if not arguments.yes or arguments.dry_run:
            found = client.post("/purge", {**asked, "dry_run": True}, DryRun)
            if arguments.dry_run:
                _tell(found, as_json=arguments.json)
                return FINE
            if not _may_go_on(found, arguments):
                return BAD
        return _purge(client, asked, as_json=arguments.json)

    return run(command)


def _may_go_on(found: DryRun, arguments: argparse.Namespace) -> bool:
    """Whether it is little, or somebody says yes."""
    reached = _reached(found)
    if reached < arguments.ask_from and not found.spared and found.complete:
        return True
    sys.stderr.writelines(_lines(found))
    if reached < arguments.ask_from and found.complete:
        return True
    if not sys.stdin.isatty():
        sys.stderr.write(f"nothing is purged: {reached} responses or more are asked about first; say --yes\n")
        return False
    sys.stderr.write("purge them? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _purge(client: AdminClient, asked: Mapping[str, object], *, as_json: bool) -> int:
    receipt = client.post("/purge", asked, Receipt)
    if as_json:
        sys.stdout.write(msgspec.json.encode(receipt).decode() + "\n")
    elif receipt.shared:
        nodes = 1 + len(receipt.acknowledged)
        late = f"; waited for the leases of {', '.join(receipt.expired)}" if receipt.expired else ""
        position = ":".join(map(str, receipt.position))
        sys.stdout.write(f"purged at {position}, by {nodes} nodes, in {receipt.duration_ms:.1f} ms{late}\n")
    else:
        sys.stderr.write("only this node has applied it: the shared log could not be reached\n")
    return FINE if receipt.shared else BAD


def _reached(found: DryRun) -> int:
    """How many responses, as far as is known: what is in memory is in Redis as well as a rule."""
    return max(found.entries, 0 if found.shared_estimate is None else found.shared_estimate.entries)


def _tell(found: DryRun, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(msgspec.to_builtins(found), indent=2) + "\n")
    else:
        sys.stdout.writelines(_lines(found))


def _lines(found: DryRun) -> Iterator[str]:
    more = "" if found.complete else "at least "
    yield f"in memory: {more}{found.entries} responses, {size(found.bytes)}\n"
    shared = found.shared_estimate
    if shared is not None:
        about = "" if shared.exact else "about "
        yield f"in Redis: {about}{shared.entries} responses, {size(shared.bytes)}\n"
    if found.tags:
        yield f"with the tags {', '.join(found.tags)}\n"
    for uri in found.uris:
        yield f"  {uri}\n"
    if found.spared:
        yield f"not reached, although it looks alike: {', '.join(found.spared)}\n"
