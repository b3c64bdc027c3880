"""Services that are asked whose a credential is: from the checked shape to the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from veneer.policy.model import UpstreamSettings
from veneer.policy.model_identity import CredentialNames, ServicePlace, SubrequestIdentity
from veneer.policy.model_targets import Resolve
from veneer.policy.places import bad_resource, bad_target, origin_and_target
from veneer.policy.problems import nearest
from veneer.policy.schema_identity import SubrequestShape
from veneer.policy.tls import TlsSettings, wrong_authorities
from veneer.policy.wrong import Wrong

COOKIE = "cookie:"
Upstreams = Mapping[str, UpstreamSettings]


def subrequest_identity(shape: SubrequestShape, upstreams: Upstreams) -> SubrequestIdentity:
    """The definition; of a place that is wrong something that nobody asks."""
    cookies = [name.removeprefix(COOKIE) for name in shape.credentials if name.startswith(COOKIE)]
    names = CredentialNames(len(cookies) < len(shape.credentials), tuple(dict.fromkeys(cookies)))
    fields = tuple((value, field.lower()) for value, field in sorted(shape.values.items()))
    return SubrequestIdentity(_place(shape, upstreams), names, fields, shape.lasts, shape.timeout)


def _place(shape: SubrequestShape, upstreams: Upstreams) -> ServicePlace:
    upstream = upstreams.get(shape.upstream or "")
    if upstream is not None:
        origin, *others = [one.url for one in upstream.targets if not one.drain] or [upstream.url]
        return ServicePlace(origin, shape.path or "/", upstream.tls, tuple(others))
    origin, target = origin_and_target(shape.url or "")
    return ServicePlace(origin, target, TlsSettings(ca=shape.ca))


def wrong_subrequest(shape: SubrequestShape, upstreams: Upstreams) -> Iterator[Wrong]:
    """What is wrong with where the service is."""
    if (shape.url is None) == (shape.upstream is None):
        said = "nowhere" if shape.url is None else "in two places"
        yield Wrong((), f"the service is {said}", "write `url`, or `upstream` with a `path`")
    elif shape.url is not None:
        yield from _wrong_url(shape, shape.url)
    elif shape.upstream not in upstreams:
        hint = nearest(shape.upstream or "", upstreams) or f"known: {', '.join(upstreams)}"
        yield Wrong(("upstream",), f'"{shape.upstream}" is not in `upstreams`', hint)
    elif any(target.resolve is Resolve.SRV for target in upstreams[shape.upstream or ""].targets):
        yield Wrong(("upstream",), f'"{shape.upstream}" is found by the records of a service', "write `url` instead")
    else:
        yield from _wrong_path(shape)


def _wrong_url(shape: SubrequestShape, url: str) -> Iterator[Wrong]:
    if (why := bad_resource(url)) is not None:
        yield Wrong(("url",), why, 'write "http://host:port/path"')
    if shape.path is not None:
        yield Wrong(("path",), "is for `upstream`, and `url` has a path of its own", "remove it")
    if shape.ca is not None:
        yield from (Wrong(("ca",), *wrong) for wrong in wrong_authorities(url, shape.ca))


def _wrong_path(shape: SubrequestShape) -> Iterator[Wrong]:
    if shape.path is None:
        yield Wrong((), "nothing is said of what the upstream is asked for", "write a `path`")
    elif (why := bad_target(shape.path)) is not None:
        yield Wrong(("path",), why, 'write "/whoami"')
    if shape.ca is not None:
        yield Wrong(("ca",), "is for `url`; an upstream has its own `tls`", "remove it")
