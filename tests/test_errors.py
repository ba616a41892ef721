"""What is said of an error is one line, whatever it quotes."""

import logging

import pytest

from ganime.cli import _Line
from ganime.errors import LONGEST, GanimeError, InputError, NonFiniteError, one_line

HOSTILE = "a\x1b[2Jb\r\nError: c\u202e\u2028d\x07\udcff"


@pytest.mark.parametrize("kind", [GanimeError, InputError, NonFiniteError])
def test_a_message_is_a_line_of_bounded_length(kind):
    assert str(kind(HOSTILE)) == r"a\x1b[2Jb Error: c\u202e d\x07\udcff"
    long = str(kind("begin " + "x" * 10**6 + " end"))
    assert long.startswith("begin ") and long.endswith(" end") and len(long) < LONGEST + 10
    assert str(kind("faces/日本 é.png: what is wrong")) == "faces/日本 é.png: what is wrong"


def test_a_line_on_the_log_is_one():
    record = logging.makeLogRecord({"msg": "passed over %s: %s", "args": ("x.png", HOSTILE)})
    assert _Line().format(record) == one_line(f"passed over x.png: {HOSTILE}")
