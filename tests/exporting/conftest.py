"""A model hub on the loopback that `huggingface_hub` takes for its own, and a folder to share."""

import json

import numpy as np
import pytest
from huggingface_hub import constants

from ganime.exporting.manifest import write_manifest
from ganime.generation.edits import Edits
from ganime.networks import build_generator
from tests.exporting.hub_server import Hub
from tests.generation.test_sampling import trained
from tests.generation.test_selection import some_judge


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The hub; the library's cache is empty and its user is `me`."""
    with Hub() as hub:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", "hf_me")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        yield hub


@pytest.fixture(scope="session")
def small_generator(tmp_path_factory):
    """The file of a generator of 32x32 faces, with two edits and a judge beside it."""
    path = tmp_path_factory.mktemp("small") / "generator.keras"
    trained(build_generator(32, 8, (8, 8, 8))).save(path)
    directions = np.eye(8, dtype=np.float32)[:2]
    Edits(["eye-size", "fringe"], directions, 0 * directions, np.ones(2), np.zeros(2)).save(path)
    some_judge().save(path)
    return path


@pytest.fixture
def folder(small_generator, tmp_path):
    """A folder as `share` writes it, in short."""
    folder = tmp_path / "shared"
    (folder / "page").mkdir(parents=True)
    for name in ("generator.keras", "generator.edits.npz", "generator.judge.npz"):
        (folder / name).write_bytes(small_generator.with_name(name).read_bytes())
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    (folder / "page" / "README.md").write_text("---\nsdk: static\ncolorFrom: pink\ncolorTo: indigo\n---\n")
    (folder / "page" / "index.html").write_text("<p>a page")
    write_manifest(folder / "page")
    write_manifest(folder)
    return folder


def change_manifest(folder, change):
    """Let `change` change what a folder's manifest says."""
    manifest = json.loads((folder / "ganime.json").read_text())
    change(manifest)
    (folder / "ganime.json").write_text(json.dumps(manifest))


def contents(folder):
    """The files of a folder, by their names."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
