"""The package as others install it: built from the project's files, with no checkout in sight."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest
from PIL import Image

from tests.conftest import ROOT

FILES = ("LICENSE", "MANIFEST.in", "README.md", "cli.py", "pyproject.toml", "requirements.txt", "setup.cfg", "setup.py")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    for name in ("ganime", "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    (source / "checkpoints" / "a-run").mkdir(parents=True)
    (source / "checkpoints" / "a-run" / "generator.keras").touch()
    for path in (*(ROOT / name for name in FILES), *(ROOT / "checkpoints").glob("*.*")):
        shutil.copy(path, source / path.relative_to(ROOT))
    code = "from setuptools import build_meta as b; b.build_wheel('..'); b.build_sdist('..')"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def call(built, tmp_path_factory):
    """Calls Python, where the package is installed, in an empty folder."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(built / "site")
    folder = tmp_path_factory.mktemp("elsewhere")
    environment = {**os.environ, "PYTHONPATH": str(built / "site")}

    def call(*arguments):
        done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    call.folder = folder
    return call


def test_an_installed_package_makes_faces(call, built):
    assert str(built / "site") in call("-c", "import ganime; print(ganime.__file__)")
    call("-m", "ganime", "generate", "--seeds", "0-3", "--edit", "hair-brightness=1")
    with Image.open(call.folder / "faces.png") as grid:
        assert grid.width > 128


def test_help_and_messages_speak_of_the_program_as_it_was_started(call):
    assert "python -m ganime walk --run" in call("-m", "ganime", "walk", "--help")
    as_script = "import sys; sys.argv = ['/bin/ganime', 'data', 'pack', '--help']; from ganime.cli import main; main()"
    assert "ganime data pack faces" in call("-c", as_script) and "cli.py" not in call("-c", as_script)
    out = subprocess.run([sys.executable, ROOT / "cli.py", "--help"], capture_output=True, text=True, check=True).stdout
    assert "Usage: python cli.py" in out and "python cli.py generate" in out


def test_both_distributions_hold_what_they_should(built):
    (wheel,), (source,) = built.glob("*.whl"), built.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    needed = ("shipped/anime-face-64.keras", "exporting/page/kernel.wasm", "exporting/page/index.html", "py.typed")
    assert {f"ganime/{name}" for name in needed} <= {*names}
    assert not [name for name in names if name.startswith(("tests", "checkpoints")) or "a-run" in name]
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"tests/conftest.py", "checkpoints/anime-face-64.keras", "cli.py", "setup.py"} <= names
    assert not [name for name in names if "a-run" in name or "__pycache__" in name]


def test_an_index_shows_no_link_that_leads_nowhere(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("METADATA")]
        head, _, text = archive.read(name).decode().partition("\n\n")
    assert "Typing :: Typed" in head and "Keywords: GAN" in head and "text/markdown" in head
    assert text.startswith("# ganime") and "generate" in text
    assert not [link for link in re.findall(r"\]\(([^)]*)\)", text) if not link.startswith("http")]
