"""The policy in force value by value, and what runs it: what GET /config and GET /version tell."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from typing import Final

import msgspec

from veneer.admin.views import Config, ConfigValue, Version
from veneer.compiling.form import running_form
from veneer.observe.lines import timestamp
from veneer.policy.model import Policy
from veneer.policy.told_values import PolicyValue
from veneer.version import running_version

COMMIT_VARIABLE: Final = "VENEER_COMMIT"
"""Where an image says of which commit it was made."""


def config_of(policy: Policy, file: str = "", route: str | None = None) -> Config:
    """What is in force; with `route` only what holds on it, from wherever it comes."""
    values = tuple(_value(found, file) for found in policy.written(route))
    return Config(policy.version_digest, file, policy.files, len(policy.warnings), values)


def _value(found: PolicyValue, file: str) -> ConfigValue:
    at = f"{file}{found.at}" if found.at.startswith(":") else found.at
    return ConfigValue(found.key, found.value, found.origin.value, at)


def version_of(policy: Policy, started_s: float, now_s: float) -> Version:
    """What runs; times are seconds since the epoch."""
    return Version(
        version=running_version(),
        commit=commit_of(os.environ),
        form=running_form().value,
        python=platform.python_version(),
        policy=policy.version_digest,
        started=timestamp(started_s),
        uptime_s=round(max(0.0, now_s - started_s), 3),
    )


def commit_of(environment: Mapping[str, str]) -> str:
    """The commit that an image names, or from which the package was installed (PEP 610); "" where neither is known."""
    if said := environment.get(COMMIT_VARIABLE, "").strip():
        return said[:64]
    try:
        text = distribution("veneer").read_text("direct_url.json")
    except PackageNotFoundError:
        return ""
    try:
        found = msgspec.convert(json.loads(text or "{}"), type=_DirectUrl)
    except (ValueError, msgspec.ValidationError):
        return ""
    return found.vcs_info.commit_id


class _VcsInfo(msgspec.Struct, frozen=True):
    commit_id: str = ""


class _DirectUrl(msgspec.Struct, frozen=True):
    vcs_info: _VcsInfo = _VcsInfo()
