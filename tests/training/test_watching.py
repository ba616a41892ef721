"""`fit` says what is wrong, once, and ends where that is wanted."""

import logging

import numpy as np
import pytest
from PIL import Image

import ganime
from ganime.data.drawn import draw_face
from ganime.doctor import read_grid
from ganime.errors import InputError
from ganime.training import fit as module
from ganime.training.watching import FIRST, Watch
from tests.training.small import build_once

ALIKE = np.repeat(draw_face(3, 32)[None], 32, 0) + np.arange(32, dtype=np.uint8)[:, None, None, None] % 3


@pytest.fixture(autouse=True)
def one_graph(monkeypatch):
    monkeypatch.setattr(module, "build_gan", build_once)


def test_what_is_found_is_said_once_and_changes_nothing(tmp_path, plain, caplog):
    gan = ganime.fit(tmp_path / "run", plain, ALIKE, steps=FIRST + 5, save_every=2, verbose=0)
    assert int(gan.step) == FIRST + 5
    (message,) = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert message.startswith("step 2: pictures: of 32 pictures that are trained on, two differ by 0.00")
    np.testing.assert_array_equal(read_grid(tmp_path / "run" / "training-pictures.png", 32), ALIKE)
    assert [finding.name for finding in ganime.diagnose(tmp_path / "run").findings] == ["pictures"]


def test_training_ends_where_that_is_wanted_and_the_same_call_without_it_goes_on(tmp_path, plain):
    given = {"recipe": plain, "pictures": ALIKE, "steps": FIRST + 5, "verbose": 0}
    assert int(ganime.fit(tmp_path / "run", **given, stop_when=["collapse", "pictures"]).step) == FIRST
    assert ganime.Run(tmp_path / "run").newest_state().about["history"]["step"] == FIRST
    assert int(ganime.fit(tmp_path / "run", **given, stop_when=["collapse"]).step) == FIRST + 5
    with Image.open(tmp_path / "run" / "progress.gif") as image:
        assert image.n_frames > 1


def test_a_wrong_name_is_refused_before_anything_is_made(tmp_path, plain):
    with pytest.raises(InputError, match="'copies' is not of the list"):
        ganime.fit(tmp_path / "run", plain, ALIKE, steps=1, stop_when=["copies"])
    assert not (tmp_path / "run").exists()


def test_it_looks_early_then_where_a_state_is_saved_and_makes_no_stretch_shorter():
    watch = Watch(None, None, None, every=500)
    assert [watch.next_due(step) for step in (0, FIRST - 1, FIRST, 499, 500)] == [FIRST, FIRST, 500, 500, 1000]
