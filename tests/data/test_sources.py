import pytest
from PIL import Image

from ganime.data.drawn import draw_face
from ganime.data.folder import PictureFolder
from ganime.data.packed import pack
from ganime.data.sources import open_pictures
from ganime.errors import InputError


def test_a_folder_a_file_or_a_name(faces, tmp_path, monkeypatch):
    pack(PictureFolder(faces), tmp_path / "faces.npy", 32)
    assert str(open_pictures(str(faces))).startswith("12 pictures in")
    assert str(open_pictures(str(tmp_path / "faces.npy"))).startswith("12 packed pictures in")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    selfies = tmp_path / "cache" / "datasets" / "arnaud58" / "selfie2anime"
    for half in ("trainA", "trainB"):
        (selfies / "versions" / "2" / half).mkdir(parents=True)
        Image.fromarray(draw_face(1)).save(selfies / "versions" / "2" / half / "face.png")
    (selfies / "2.complete").touch()
    pictures = open_pictures("selfie2anime")
    assert (len(pictures), pictures.name) == (1, "selfie2anime")


def test_anything_else_says_what_could_be_given():
    with pytest.raises(InputError, match=r"nowhere is not a folder.*data pack.*anime-faces"):
        open_pictures("nowhere")
    with pytest.raises(InputError, match="nothing is not a folder"):  # an empty variable in a shell
        open_pictures("")
