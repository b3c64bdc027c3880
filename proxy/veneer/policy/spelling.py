"""How names and values in policies.yaml are spelled: as patterns, and in words for who has spelled one otherwise."""

from __future__ import annotations

from typing import Final

_TCHAR: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]"
_LOWER_NAME: Final = r"[a-z_][a-z0-9_]{0,63}"
_SQL_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]{0,62}"
PARAMETER: Final = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
"""A parameter of a path, or a column, within a template."""

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
FIELD_NAME: Final = rf"^{_TCHAR}{{1,64}}$"
FIELD_VALUE: Final = r"^[!-~]([ -~]{0,4094}[!-~])?$"
METHOD: Final = r"^[A-Z][A-Z0-9-]{0,31}$"
COOKIE_NAME: Final = rf"^{_TCHAR}{{1,128}}$"
VARIABLE_NAME: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
IDENTITY_NAME: Final = rf"^{_LOWER_NAME}$"
CREDENTIAL_NAME: Final = rf"^([Aa]uthorization|cookie:{_TCHAR}{{1,128}})$"
SHARE_NAME: Final = rf"^(everyone|nobody|identity\.{_LOWER_NAME})$"
COLUMN_NAME: Final = rf"^{_SQL_NAME}$"
TABLE_NAME: Final = rf"^({_SQL_NAME}\.)?{_SQL_NAME}$"
SLOT_NAME: Final = r"^[a-z0-9_]{1,63}$"
MEDIA_TYPE: Final = r"^[a-z0-9.+-]+/([a-z0-9.+-]+|\*)$"
FILE_MODE: Final = r"^0?[0-7]{3}$"
UPGRADE: Final = rf"^{_TCHAR}{{1,64}}(/[A-Za-z0-9.]{{1,16}})?$"

_IN_WORDS: Final = {
    NAME: 'at most 64 letters, digits and ".", "_", "-", the first a letter or digit',
    FIELD_NAME: 'at most 64 letters, digits and hyphens, as "X-Tenant"',
    FIELD_VALUE: "at most 4096 printable ASCII characters, without spaces at its ends",
    METHOD: 'capitals, digits and hyphens, as "GET"',
    COOKIE_NAME: 'at most 128 letters, digits, "_" and "-", as "sessionid"',
    VARIABLE_NAME: 'at most 128 letters, digits and "_", as "API_SECRET"',
    IDENTITY_NAME: 'at most 64 lower-case letters, digits and "_", as "tenant_id"',
    COLUMN_NAME: 'at most 63 letters, digits and "_", as "company_id"',
    TABLE_NAME: 'a name as "users", or with its schema "hr.users", of letters, digits and "_"',
    SLOT_NAME: 'at most 63 lower-case letters, digits and "_", as "veneer"',
    CREDENTIAL_NAME: '"Authorization" or "cookie:NAME"',
    MEDIA_TYPE: '"application/json" or "text/*", in lower case',
    FILE_MODE: 'three octal digits in quotes, as "0660"',
    UPGRADE: '"websocket", a protocol and where need be its version',
}


def in_words(pattern: str, text: str) -> str | None:
    """What is right in place of `text`, which does not match the pattern; None where no words are known for it."""
    if pattern == METHOD and text.isalpha():
        return f'did you mean "{text.upper()}"?'
    if pattern == SHARE_NAME:
        return f'write "everyone", "nobody" or "identity.{text or "NAME"}"'
    known = _IN_WORDS.get(pattern)
    return None if known is None else f"write {known}"
