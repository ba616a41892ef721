"""`runs` and `recipes` on terminals of all widths, and with names that were made to do harm."""

import json
from dataclasses import asdict

import pytest
from click.testing import CliRunner

from ganime.cli import cli
from ganime.recipes import RECIPES, Recipe
from ganime.run import Run


def show(command, width):
    result = CliRunner().invoke(cli, [command], env={"FORCE_COLOR": "1", "COLUMNS": str(width), "NO_COLOR": "1"})
    assert result.exit_code == 0
    return result.output


@pytest.fixture
def harmful(tmp_path, monkeypatch):
    """A run with a harmful name, on pictures with one."""
    monkeypatch.chdir(tmp_path)
    data = {"name": "d\x1b[2J\n" + "x" * 10**5, "pictures": 3, "fingerprint": ""}
    about = {"recipe": asdict(Recipe()), "seed": 0, "data": data, "versions": {}}
    run = Run("r\x1b[31m")
    run.path.mkdir(parents=True)
    run.config_path.write_text(json.dumps(about))


@pytest.mark.parametrize("width", [60, 300])
def test_runs_are_readable_and_harmless_on_any_terminal(harmful, width):
    lines = show("runs", width).replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()
    text = "\n".join(lines)
    assert max(map(len, lines)) <= width and text.isascii() and "\x1b" not in text and len(text) < 20_000
    for word in ("r\\x1b[31m", "generating-anime with", "hold_below=0.0", "d\\x1b[2J", "64"):
        assert word in text


def test_recipes_are_readable_on_a_narrow_terminal():
    lines = show("recipes", 80).splitlines()
    at = lines.index("batch_size: pictures per step")
    assert lines[at + 1].startswith(f"  {RECIPES['default'].batch_size}: default")
    assert lines[:2] == ["image_size: side of the pictures, pixels", "  64: all"]
    assert "image_size " in show("recipes", 200)
