"""What objects say of themselves in a notebook or a debugger."""

import re

import pytest
import tensorflow as tf

import ganime


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ganime.Run("some"), "<Run some: checkpoints/some>"),
        (lambda: ganime.PictureFolder("faces"), "<PictureFolder: 12 pictures in faces and below>"),
        (
            lambda: ganime.pack(ganime.PictureFolder("faces"), "p.npy", 16),
            "<PackedPictures: 12 packed pictures in p.npy, 16x16>",
        ),
        (lambda: ganime.DrawnFaces(1000), "<DrawnFaces: 1,000 faces that ganime draws itself>"),
        (
            lambda: ganime.split(ganime.DrawnFaces(30), 8)[1],
            r"<Selection: \d of 30 faces that ganime draws itself>",
        ),
        (lambda: ganime.Edits.load(), r"<Edits: 13 for latents of 128 numbers: hair-brightness, .*>"),
        (lambda: ganime.Engine(), r"Engine\(\)"),
        (
            lambda: ganime.Engine(precision="bfloat16", strategy=tf.distribute.OneDeviceStrategy("CPU")),
            r"Engine\(precision=bfloat16, strategy=OneDeviceStrategy of 1\)",
        ),
        (
            lambda: ganime.GeneratedPictures(ganime.build_generator(32, 8, (8, 8, 8)), 2000),
            "<GeneratedPictures: 2,000 faces of 32x32>",
        ),
        (lambda: ganime.FeatureExtractor(), "<FeatureExtractor: lite0>"),
    ],
)
def test_objects_say_what_they_are(faces, monkeypatch, make, text):
    monkeypatch.chdir(faces.parent)
    monkeypatch.setenv("KERAS_HOME", str(faces.parent / "keras"))
    assert re.fullmatch(text, repr(make()))
