"""Tables as commands print them."""

from __future__ import annotations

from veneer.cli.tables import WIDEST, table


def test_columns_are_as_wide_as_what_is_in_them_and_empty_ones_are_left_out() -> None:
    assert list(table(("key", "none", "by"), [("a", "", "x"), ("long", "", "y")])) == [
        "key   by\n",
        "a     x\n",
        "long  y\n",
    ]


def test_one_long_value_makes_no_wide_table() -> None:
    long = "x" * 300
    lines = list(table(("value", "by"), [("a", "file"), (long, "default")]))
    assert lines[1] == f"{'a':<{WIDEST}}  file\n"
    assert lines[2] == f"{long}  default\n", "nothing is cut"
