"""Which errors of PostgreSQL pass by themselves."""

from __future__ import annotations

import psycopg2
import pytest

from veneer.changes.postgres.errors import LONGEST_TEXT, source_error


@pytest.mark.parametrize(
    ("text", "lasting"),
    [
        ('connection to server at "db", port 5432 failed: FATAL:  password authentication failed for user "u"', True),
        ('FATAL:  no pg_hba.conf entry for replication connection from host "10.0.0.1"', True),
        ('FATAL:  role "nobody" does not exist', True),
        ('FATAL:  database "nothing" does not exist', True),
        ("FATAL:  permission denied to start WAL sender", True),
        ("FATAL:  must be superuser or replication role to start walsender", True),
        ("fe_sendauth: no password supplied", True),
        ("could not connect: Connection refused", False),
        ("FATAL:  the database system is starting up", False),
        ("FATAL:  sorry, too many clients already", False),
        ('could not translate host name "db" to address: Name or service not known', False),
        ("server closed the connection unexpectedly", False),
    ],
)
def test_before_there_is_a_connection_the_text_tells(text: str, lasting: bool) -> None:
    error = source_error(psycopg2.OperationalError(text), "connecting", ("SELECT 1;",))
    assert error.lasting is lasting
    assert str(error) == f"connecting: {' '.join(text.split())}"
    assert error.sql == ("SELECT 1;",)


def test_a_text_is_one_line_of_bounded_length() -> None:
    said = str(source_error(psycopg2.OperationalError("a\nb " * 1000), "asking"))
    assert said.startswith("asking: a b a b")
    assert len(said) == LONGEST_TEXT + len("asking: ")
