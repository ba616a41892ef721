"""Against a hub on the loopback: what is fetched, found again without a network, and refused in one line."""

import io
import os
import subprocess
import sys
import threading
import zipfile
from http.server import ThreadingHTTPServer

import pytest
from click.testing import CliRunner
from huggingface_hub import constants
from PIL import Image

from ganime.cli import cli
from ganime.data.drawn import draw_face
from ganime.data.folder import FolderListing
from ganime.data.hub_sets import commit_of
from ganime.data.public import HUGGING_FACE, PUBLIC_SETS, PublicSet, download, find, get
from ganime.errors import GanimeError, InputError
from tests.exporting.hub_server import Hub, Refused, _Handler

ADDRESS = "hf://datasets/somebody/faces"


class Handler(_Handler):
    """Data sets are kept where that hub keeps spaces."""

    def do_GET(self):
        self.path = self.path.replace("/datasets/", "/spaces/")
        self._answer()

    do_HEAD = do_GET


class DataHub(Hub):
    refused = None

    def __enter__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"hub": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def files(self, repository, revision="main"):
        if self.refused:
            raise self.refused
        return super().files(repository, revision)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with DataHub() as hub:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield hub


def face(seed):
    file = io.BytesIO()
    Image.fromarray(draw_face(seed, 40)).save(file, "PNG")
    return file.getvalue()


def archive(count):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for i in range(count):
            packed.writestr(f"{i}.png", face(i))
    return file.getvalue()


@pytest.fixture
def faces(hub):
    """A data set of loose pictures, with files that are of no use."""
    files = {"images/a.png": face(1), "images/B.PNG": face(2), "dataset.json": b'{"labels": null}'}
    hub.put(
        "spaces/somebody/faces", {**files, "README.md": b"read me", "train.py": b"no code of others", ".gitattributes": b""}
    )
    return hub


def test_pictures_are_fetched_and_found_again_without_a_network(faces):
    assert find(ADDRESS) is None
    folder = download(ADDRESS)
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["B.PNG", "a.png", "dataset.json"]
    assert (folder / "images" / "a.png").read_bytes() == face(1) and len(FolderListing(folder)) == 2
    assert commit_of(folder) == faces.hash("spaces/somebody/faces", 0)
    asked = len(faces.requests)
    assert download(ADDRESS) == find(ADDRESS) == folder
    assert len(faces.requests) == asked
    assert get(ADDRESS).name == "faces"


def test_a_revision_stays_what_it_was(faces):
    first = faces.hash("spaces/somebody/faces", 0)
    faces.put("spaces/somebody/faces", {"images/c.png": face(3)})
    assert len(FolderListing(download(ADDRESS))) == 1
    assert len(FolderListing(download(f"{ADDRESS}@{first}"))) == 2
    assert len(FolderListing(download(ADDRESS))) == 1


def test_what_is_there_in_part_is_not_taken_for_all(faces):
    folder = download(ADDRESS)
    (folder / "images" / "a.png").unlink()
    assert find(ADDRESS) is None
    assert len(FolderListing(download(ADDRESS))) == 2
    # As another program, or a kill, leaves it.
    for marker in (folder.parents[1] / "ganime").iterdir():
        marker.write_text(marker.read_text()[:20])
    assert find(ADDRESS) is None
    assert download(ADDRESS) == folder


def test_a_single_archive_is_given_itself(hub, monkeypatch):
    known = PublicSet("known", "somebody/both", 3, "40x40", hub=HUGGING_FACE, file="data.zip")
    monkeypatch.setitem(PUBLIC_SETS, "known", known)
    content = archive(3)  # with the time in it
    hub.put("spaces/somebody/both", {"images/a.png": face(1), "data.zip": content})
    assert download("known").read_bytes() == content and download("known").name == "data.zip"
    assert not any("a.png" in request for request in hub.requests)
    assert download("hf://datasets/somebody/both").is_dir() and find("known").is_file()


def test_a_command_says_where_it_is_and_which_revision(faces):
    result = CliRunner().invoke(cli, ["data", "download", ADDRESS])
    assert result.exit_code == 0, result.output
    assert f"name the revision: {ADDRESS}@{faces.hash('spaces/somebody/faces', 0)}" in result.output
    rows = {line.split()[0]: line for line in CliRunner().invoke(cli, ["data", "list"]).output.splitlines()}
    assert "huggingface.co/datasets/huggan/anime-faces" in rows["huggan-anime-faces"]
    assert "kaggle.com/datasets/soumikrakshit/anime-faces" in rows["anime-faces"]


@pytest.mark.parametrize(
    "refused, words",
    [
        (Refused(401, "GatedRepo", "Access is restricted"), "ask on its page"),
        (Refused(404, "RepoNotFound", "Repository not found"), "no such data set, or it is private"),
        (Refused(401, "", "Invalid credentials"), "hf auth login"),
        (Refused(403, "", "Forbidden"), "may not read it"),
        (Refused(500, "", "Something broke"), "the hub failed"),
    ],
)
def test_what_is_refused_is_one_line(faces, refused, words):
    faces.refused = refused
    with pytest.raises(GanimeError, match=words) as caught:
        download(ADDRESS)
    assert not isinstance(caught.value, InputError) and ADDRESS in str(caught.value)
    result = CliRunner().invoke(cli, ["data", "download", ADDRESS])
    assert result.exit_code == 1 and words in result.output.splitlines()[-1]


def test_another_revision_or_nothing_to_train_on_is_one_line(faces):
    with pytest.raises(GanimeError, match="has no such revision"):
        download(f"{ADDRESS}@v9")
    faces.put("spaces/somebody/words", {"a.arrow": b"", "b.arrow": b"", "README.md": b""})
    with pytest.raises(GanimeError, match=r"no pictures and no archives that can be read, but \.arrow 2, \.md 1"):
        download("hf://datasets/somebody/words")


def test_without_a_network_it_is_one_line(faces, monkeypatch):
    faces.server.shutdown()
    faces.server.server_close()
    with pytest.raises(GanimeError, match="the hub cannot be reached"):
        download(ADDRESS)


def test_the_library_is_asked_for_only_when_needed(faces, monkeypatch):
    folder = download(ADDRESS)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert download(ADDRESS) == folder
    with pytest.raises(GanimeError, match=r"pip install 'huggingface_hub>=1'"):
        download("hf://datasets/somebody/others")


@pytest.mark.parametrize(
    "address",
    [
        "hf://datasets/x",
        "hf://x/y",
        "hf://datasets/../y",
        "hf://datasets/x/y@../z",
        "hf://datasets/x/y/z",
        "hf://datasets/a--b/y",
    ],
)
def test_a_malformed_address_is_told(address):
    with pytest.raises(InputError, match="is no data set's address"):
        download(address)


def test_the_cache_is_where_the_library_has_it(tmp_path):
    code = "from huggingface_hub import constants as c; from ganime.data.hub_sets import _repository as r; "
    code += "assert str(r('a/b').parent) == c.HF_HUB_CACHE, (r('a/b'), c.HF_HUB_CACHE); print(r('a/b').name)"
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGINGFACE_", "XDG_"))}
    for places in ({}, {"HF_HOME": "~/a"}, {"XDG_CACHE_HOME": str(tmp_path)}, {"HF_HUB_CACHE": "$HOME/c", "HF_HOME": "/b"}):
        run = subprocess.run([sys.executable, "-c", code], env=plain | places, capture_output=True, text=True, timeout=60)
        assert run.stdout == "datasets--a--b\n", run.stderr
