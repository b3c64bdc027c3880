"""What is wrong with Redis, by its right name."""

from __future__ import annotations

import pytest
from redis.exceptions import (
    AuthenticationError,
    InvalidResponse,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)

from veneer.redis.troubles import Trouble, trouble_of
from veneer.redis.wire import refusal

FULL = ResponseError("OOM command not allowed when used memory > 'maxmemory'.")
GONE = RedisConnectionError("gone")


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (FULL, Trouble.FULL),
        (OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), Trouble.FULL),
        (refusal("ERR Error running script (call to f_1): @user_script:4: @user_script: 4: -OOM no"), Trouble.FULL),
        (refusal("READONLY You can't write against a read only replica."), Trouble.READ_ONLY),
        (RedisConnectionError("READONLY You can't write against a read only replica."), Trouble.READ_ONLY),
        (ReadOnlyError("You can't write against a read only replica."), Trouble.READ_ONLY),
        (refusal("NOPERM this user has no permissions to run the 'evalsha' command"), Trouble.FORBIDDEN),
        (NoPermissionError("this user has no permissions"), Trouble.FORBIDDEN),
        (
            refusal("ERR Error running script (call to f_1): @user_script:1: The user executing the script can't run"),
            Trouble.FORBIDDEN,
        ),
        (refusal("ERR ACL failure in script: User u has no permissions to run the 'hset' command"), Trouble.FORBIDDEN),
        (refusal("NOAUTH Authentication required."), Trouble.STRANGER),
        (refusal("WRONGPASS invalid username-password pair"), Trouble.STRANGER),
        (refusal("ERR Protocol error: unauthenticated multibulk length"), Trouble.STRANGER),
        (AuthenticationError("Authentication required."), Trouble.STRANGER),
        (refusal("LOADING Redis is loading the dataset in memory"), Trouble.UNREADY),
        (RedisConnectionError("CLUSTERDOWN The cluster is down"), Trouble.UNREADY),
        (refusal("WRONGTYPE Operation against a key"), Trouble.REFUSES),
        (GONE, Trouble.AWAY),
        (TimeoutError(), Trouble.AWAY),
        (OSError("no route"), Trouble.AWAY),
        (InvalidResponse("garbled"), Trouble.AWAY),
    ],
)
def test_each_failure_has_its_name(error: BaseException, trouble: Trouble) -> None:
    assert trouble_of(error) is trouble
