"""The shape of `identities:` in policies.yaml, and how routes name what they prove."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from veneer.policy import spelling
from veneer.policy.shape import Duration, FieldName, Name, Shape, Text, option, required, standing_alone

IdentityName = Annotated[str, StringConstraints(pattern=spelling.IDENTITY_NAME)]
VariableName = Annotated[str, StringConstraints(pattern=spelling.VARIABLE_NAME)]
CookieName = Annotated[str, StringConstraints(pattern=spelling.COOKIE_NAME)]
CredentialName = Annotated[str, StringConstraints(pattern=spelling.CREDENTIAL_NAME)]
ShareName = Annotated[str, StringConstraints(pattern=spelling.SHARE_NAME)]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


TextList = Annotated[list[Text], standing_alone("item", _listed)]

ShareList = Annotated[list[ShareName], standing_alone("item", _listed)]
"""One name, or a list of them."""

ALGORITHMS = (
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
)
AlgorithmName = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]


class JwtKeyShape(Shape):
    """One key by which tokens are checked, read with the policy and again when its file changes, or all of a `jwks`."""

    secret_env: VariableName | None = option(
        None, "Environment variable that holds the secret of HS256, HS384 or HS512, of at least 32 bytes."
    )
    secret_file: Text | None = option(
        None, "File that holds such a secret, less the end of its last line; read as `{file: ...}` is."
    )
    public_key: Text | None = option(None, "A public key in PEM, as text: RSA, EC or Ed25519.")
    public_key_file: Text | None = option(None, "File that holds one, read in the same way.")
    id: Text | None = option(None, "Only for tokens with this `kid`; for all when absent.")
    jwks: Text | None = option(
        None,
        "URL of the public keys that the issuer publishes (RFC 7517), as in `https://issuer/.well-known/jwks.json`. "
        "They are fetched in the background; the last ones go on while the issuer is away. One with a `kid` checks "
        "tokens that name it; secrets among them are ignored.",
        "A key that the issuer has taken back counts until the keys are fetched again.",
    )
    ca: Text | None = option(
        None, "For `jwks`: file with the authorities in PEM that vouch for the issuer; the system's when absent."
    )
    refresh: Duration | None = option(
        None,
        "For `jwks`: how often its keys are fetched; 5m when absent. An unknown `kid` has them fetched at once, every "
        "10 s at most.",
        ge=1,
        le=86_400,
    )


class JwtShape(Shape):
    """Tokens (RFC 7519) with a good signature. Which algorithms a key checks follows from its kind; never `none`."""

    keys: list[JwtKeyShape] = required("The keys; one of them has to fit.", min_length=1, max_length=16)
    algorithms: list[AlgorithmName] = option(
        [], "Only these; all that fit the key when empty.", max_length=len(ALGORITHMS)
    )
    issuer: TextList = option([], "Issuers (`iss`) that are accepted; any when empty.", max_length=16)
    audience: TextList = option(
        [],
        "Audiences (`aud`) of which a token has to name one. Empty: one that names none.",
        max_length=16,
    )
    leeway: Duration = option(
        0.0,
        "Time by which `exp` and `nbf` may be missed, for clocks that differ.",
        "A token is believed so much longer than it says.",
        ge=0,
        le=600,
    )
    cookie: CookieName | None = option(None, "The cookie that holds the token; Authorization (Bearer) when absent.")
    values: dict[IdentityName, Text] = required(
        "Names for identity values, and the claims that they are in, as in `{tenant: company_id}`. Texts and whole "
        "numbers count.",
        min_length=1,
        max_length=16,
    )


class SessionShape(Shape):
    """Cookies that tell sessions apart. Only who sends the same ones gets the same; nobody knows what they mean."""

    cookies: list[CookieName] = required("Names of the cookies; all have to be there.", min_length=1, max_length=8)
    value: IdentityName = required("The name of the identity value: a digest of the cookies.")


class HeaderShape(Shape):
    """Fields that a trusted proxy in front of this one has set, after it has checked who asks."""

    values: dict[IdentityName, FieldName] = required(
        "Names for identity values, and the fields that they are in.", min_length=1, max_length=16
    )


class SubrequestShape(Shape):
    """A service that is asked whose a credential is: GET with the credential alone, once as long as its answer lasts.

    2xx proves the values in the answer's fields; with any other answer, or none, the request goes to the backend as one
    that proves nothing. 401 and 403 are believed for 5 s.
    """

    url: Text | None = option(None, "URL of the service, as in `http://127.0.0.1:9000/whoami`.")
    upstream: Name | None = option(
        None,
        "Instead of `url`: the upstream that is asked, with a `path`. Of several `targets` one after the other, until "
        "one answers.",
    )
    path: Text | None = option(None, "For `upstream`: path and query, as in `/api/whoami`.")
    ca: Text | None = option(
        None, "For `url`: file with the authorities in PEM that vouch for the service; the system's when absent."
    )
    credentials: list[CredentialName] = required(
        "What is sent to it, as far as a request has it: `Authorization`, and cookies as `cookie:NAME`.",
        min_length=1,
        max_length=8,
    )
    values: dict[IdentityName, FieldName] = required(
        "Names for identity values, and the fields of the answer that they are in, as in `{tenant: X-Tenant}`.",
        min_length=1,
        max_length=16,
    )
    lasts: Duration = option(
        30.0,
        "How long an answer counts; less where its Cache-Control says so (`max-age`; `no-cache` and `no-store` for the "
        "requests that wait for it alone).",
        "A credential that was revoked goes on getting what is stored for its identity so long.",
        ge=1,
        le=3600,
    )
    timeout: Duration = option(
        2.0, "How long a request waits for the answer, before it goes to the backend.", ge=0.05, le=60
    )


class IdentityShape(Shape):
    """What proves who asks: exactly one of `jwt`, `session`, `header` and `subrequest`."""

    jwt: JwtShape | None = option(None, "Signed tokens.")
    session: SessionShape | None = option(None, "Session cookies.")
    header: HeaderShape | None = option(
        None,
        "Fields from `trusted_proxies`; of others they prove nothing.",
        "Whatever may connect from there is believed about who it is.",
    )
    subrequest: SubrequestShape | None = option(None, "Credentials of which a service says whose they are.")
    log: list[IdentityName] = option(
        [],
        "Values that the access log may show as they are; others stand there as digests.",
        "Whoever reads the log reads them.",
        max_length=16,
    )
