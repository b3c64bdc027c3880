"""HTTP/1 (RFC 9112): one strict grammar for all who read, frame and write messages, towards clients and backends.

No I/O. `grammar` has the rules of single lines and the bounds, `framing` those of where a body ends; the rest is made
of them. What reads heads more quickly elsewhere takes fewer of them, and none otherwise
(tests/properties/test_quick_readers.py).
"""
