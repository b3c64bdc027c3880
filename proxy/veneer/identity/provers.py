"""What a request proves by the identities of the policy in force."""

from __future__ import annotations

import logging
from typing import Final

from veneer.core.fields import Fields
from veneer.core.headers import OWS
from veneer.core.identity import MAX_VALUE_CHARS, Proof, Proofs
from veneer.identity.bearers import BearerMemory
from veneer.identity.key_sets import KeySets
from veneer.identity.keys import BadKeyError, read_keys
from veneer.identity.remembered import CredentialMemory
from veneer.identity.sessions import cookie_of, session_proof
from veneer.identity.subrequests import SubrequestCounts, Voucher
from veneer.identity.tokens import TokenReader
from veneer.loop.tasks import Tasks
from veneer.policy.model_identity import HeaderIdentity, Identity, JwtIdentity, SessionIdentity, SubrequestIdentity
from veneer.ports import Clock, Retriever
from veneer.ports.credentials import Definitions

BEARER: Final = "bearer"
logger = logging.getLogger(__name__)


class IdentityProvers:
    """Implements `veneer.ports.Identities`. What was proven by other definitions or keys is forgotten with them."""

    def __init__(self, retriever: Retriever, tasks: Tasks) -> None:
        self.key_sets = KeySets(retriever, tasks, self.forget)
        self.subrequests = SubrequestCounts()
        self._retriever = retriever
        self._tasks = tasks
        self._vouchers: tuple[Voucher, ...] = ()
        self._applied: tuple[Identity, ...] = ()
        self._bearers: tuple[TokenReader, ...] = ()
        self._others: tuple[tuple[Identity, TokenReader | None], ...] = ()
        self.bearers = BearerMemory()
        self._cookie_memories: dict[str, CredentialMemory] = {}

    def apply(self, identities: tuple[Identity, ...]) -> None:
        """Read the keys, and go on by these definitions. One whose keys cannot be read proves nothing."""
        tokens = [identity.proof for identity in identities if isinstance(identity.proof, JwtIdentity)]
        self.key_sets.apply([place for proof in tokens for place in proof.key_sets])
        bearers: list[TokenReader] = []
        others: list[tuple[Identity, TokenReader | None]] = []
        for identity in identities:
            reader = self._reader(identity)
            if isinstance(identity.proof, JwtIdentity):
                if reader is not None and identity.proof.cookie is None:
                    bearers.append(reader)
                elif reader is not None:
                    others.append((identity, reader))
            elif not isinstance(identity.proof, SubrequestIdentity):
                others.append((identity, None))
        self._vouchers = tuple([
            Voucher(identity.proof, identity.digest, self._retriever, self._tasks, self.subrequests)
            for identity in identities
            if isinstance(identity.proof, SubrequestIdentity)
        ])  # fmt: skip
        self._bearers, self._others = tuple(bearers), tuple(others)
        self._applied = identities
        self.forget()

    def forget(self) -> None:
        """Forget what was proven: keys have changed, and one that is gone proves nothing any more."""
        self.bearers.begin(self._applied, tuple([voucher.memory for voucher in self._vouchers]))
        self._cookie_memories = {
            identity.name: CredentialMemory() for identity, reader in self._others if reader is not None
        }

    def prove(self, identities: Definitions, fields: Fields, now: float, *, trusted: bool) -> Proofs:
        """As `ports.Identities`."""
        if identities is not self._applied:
            return ()
        found: list[Proof] = []
        if self._bearers and "authorization" in fields.joined:
            found += self._of_bearer(fields.joined["authorization"], now)
        for identity, reader in self._others:
            if isinstance(identity.proof, HeaderIdentity):
                proof = _header_proof(identity, identity.proof, fields) if trusted else None
            elif isinstance(identity.proof, SessionIdentity):
                proof = session_proof(identity.digest, identity.proof, fields)
            else:
                proof = self._of_cookie(identity, reader, fields, now)
            if proof is not None:
                found.append(proof)
        return tuple(found)

    def vouches(self, identities: Definitions, names: frozenset[str]) -> frozenset[str] | None:
        """As `ports.Identities`."""
        if identities is not self._applied:
            return None
        return names & frozenset[str]().union(*[voucher.names for voucher in self._vouchers])

    async def vouched(self, identities: Definitions, names: frozenset[str], fields: Fields, clock: Clock) -> Proofs:
        """As `ports.Identities`."""
        found: list[Proof] = []
        for voucher in self._vouchers if identities is self._applied else ():
            if not names.isdisjoint(voucher.names):
                proof = await voucher.proof(fields, clock)
                if proof is not None:
                    found.append(proof)
        return tuple(found)

    def _of_bearer(self, authorization: str, now: float) -> Proofs:
        """What the field proves (RFC 6750 section 2.1)."""
        raw = authorization.encode("latin-1", "replace")
        memory = self.bearers.memory
        known = memory.find(raw, now)
        if known is not None:
            return known.proofs
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != BEARER:
            return ()
        proofs = tuple([proof for reader in self._bearers if (proof := reader.proof(token.strip(OWS))) is not None])
        return _kept(memory, raw, proofs, now)

    def _of_cookie(self, identity: Identity, reader: TokenReader | None, fields: Fields, now: float) -> Proof | None:
        assert isinstance(identity.proof, JwtIdentity)
        token = cookie_of(fields, identity.proof.cookie or "")
        if token is None or reader is None:
            return None
        memory, raw = self._cookie_memories[identity.name], token.encode("latin-1", "replace")
        known = memory.find(raw, now)
        if known is not None:
            return known.proofs[0]
        proof = reader.proof(token)
        if proof is None:
            return None
        kept = _kept(memory, raw, (proof,), now)
        return kept[0] if kept else None

    def _reader(self, identity: Identity) -> TokenReader | None:
        if not isinstance(identity.proof, JwtIdentity):
            return None
        published = self.key_sets.at(identity.proof.key_sets)
        try:
            return TokenReader(identity.proof, read_keys(identity.proof), identity.digest, published)
        except BadKeyError as error:
            logger.error("identity %s proves nothing, and its requests go to the backend: %s", identity.name, error)  # noqa: TRY400
            return None


def _kept(memory: CredentialMemory, raw: bytes, proofs: Proofs, now: float) -> Proofs:
    """What holds now of the proofs, remembered where there is any."""
    holding = tuple([proof for proof in proofs if proof.holds(now)])
    if holding:
        memory.learn(raw, holding)
    return holding


def _header_proof(identity: Identity, asked: HeaderIdentity, fields: Fields) -> Proof | None:
    """What a trusted proxy says."""
    said = [(name, fields.joined.get(field, "")) for name, field in asked.named]
    values = tuple([(name, "s:" + value) for name, value in said if 0 < len(value) <= MAX_VALUE_CHARS])
    return Proof(values, identity.digest) if values else None
