"""The command that serves the page of a generator of one's own."""

import subprocess
import sys
import urllib.request
import webbrowser
from threading import Thread

import pytest
from click.testing import CliRunner

from ganime.cli import cli
from ganime.exporting.serve import PageServer
from tests.conftest import ROOT


@pytest.fixture
def visit(monkeypatch):
    """Runs the command with a visitor who looks at the model and goes; returns the command's result, the model and what was
    opened in the browser."""
    opened, loaded = [], []
    monkeypatch.setattr(webbrowser, "open", opened.append)

    def load(server):
        with urllib.request.urlopen(server.address + "generator.safetensors") as answer:
            loaded.append(answer.read())

    def serve(server):
        visitor = Thread(target=load, args=[server])
        visitor.start()
        server.handle_request()
        visitor.join()
        raise KeyboardInterrupt

    monkeypatch.setattr(PageServer, "serve_forever", serve)
    return lambda *arguments: (CliRunner().invoke(cli, ["explore", *arguments]), *loaded, opened)


def test_the_page_of_the_generator_that_ships(visit):
    result, model, opened = visit()
    assert result.exit_code == 0 and len(opened) == 1
    assert opened[0] in result.output and opened[0].startswith("http://127.0.0.1:")
    assert b"eye-size" in model[:10000] and b"anime-face-64" in model[:10000]


def test_a_generator_without_edits(visit, tmp_path):
    path = tmp_path / "mine.keras"
    path.write_bytes((ROOT / "checkpoints" / "anime-face-64.keras").read_bytes())
    result, model, opened = visit("--model", str(path), "--no-browser")
    assert result.exit_code == 0 and not opened and str(path) in result.output
    assert b"eye-size" not in model[:10000]


def test_what_cannot_be_explored_is_said_in_one_line(visit, tmp_path):
    (tmp_path / "x.keras").write_text("x")
    with PageServer({"index.html": b""}) as busy:
        for arguments, message in (
            (["--port", str(busy.server_port)], f"--port {busy.server_port}: Address already in use"),
            (["--run", str(tmp_path / "none")], "there is no run"),
            (["--model", str(tmp_path / "x.keras")], "x.keras is not a .keras file"),
        ):
            result = CliRunner().invoke(cli, ["explore", "--no-browser", *arguments])
            assert result.exit_code == 2 and message in result.output.splitlines()[-1]


def test_tensorflow_is_left_alone():
    check = """
import sys
from ganime.commands.explore import _page_of
assert len(_page_of(None)["generator.safetensors"]) > 4e6
assert not {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=True)
