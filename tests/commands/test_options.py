"""Every option that takes a number takes no other thing."""

import click
import pytest
from click.testing import CliRunner

from ganime.cli import cli


def options(command, path=()):
    for name, part in getattr(command, "commands", {}).items():
        yield from options(part, (*path, name))
    for option in command.params:
        if isinstance(option.type, click.IntRange | click.FloatRange) or option.type in (click.INT, click.FLOAT):
            yield (*path, option.opts[0])


@pytest.mark.parametrize("option", sorted(options(cli)), ids=" ".join)
def test_a_number_is_finite_and_within_bounds(option, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for value in ("nan", "inf", "-1e999", "9" * 4000, "9" * 5000):
        result = CliRunner().invoke(cli, [*option, value])
        assert result.exit_code == 2 and f"Invalid value for '{option[-1]}'" in result.output
