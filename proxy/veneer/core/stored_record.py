"""The layout of a stored response in `core.codec`'s format.

It stands alone, since what msgspec makes cannot be compiled, and the codec can.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from veneer.core.fields import Pair


class StoredRecord(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """The layout, member by member.

    `body` is in the content coding `packed_in`, "" where it is as it is; `length` is that of the body itself. `coded`
    are the forms of this cache: coding, bytes, whether recompressed. Of one that is empty `body` has the bytes.
    """

    status: int
    reason: str
    fields: Sequence[Pair]
    body: bytes
    packed_in: str
    length: int
    coded: Sequence[tuple[str, bytes, bool]]
    request_time: float
    response_time: float
    uri: str
    epoch: str
    seq: int
    vary: Sequence[tuple[str, str | None]]
    tags: Sequence[str]
    span: tuple[int, int, int | None, str | None] | None


_decoder: Final = msgspec.msgpack.Decoder(StoredRecord)
_encoder: Final = msgspec.msgpack.Encoder()


def encode_record(record: StoredRecord) -> bytes:
    """The record as MessagePack."""
    return _encoder.encode(record)


def decode_record(payload: bytes) -> StoredRecord | None:
    """The record that these bytes are; None where they are none."""
    try:
        return _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):  # the second for a text that is no UTF-8
        return None
