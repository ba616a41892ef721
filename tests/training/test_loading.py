"""A whole GAN out of a file, as a person loads it and as Keras does."""

import numpy as np
import pytest

import ganime
from ganime.errors import GanimeError, InputError
from tests.training.small import PICTURES
from tests.training.test_gan import same
from tests.training.test_keras_callbacks import fit
from tests.training.test_keras_methods import LATENTS, state


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a GAN of two steps, in both forms, and its state then."""
    folder, (gan, _) = tmp_path_factory.mktemp("saved"), fit(epochs=1)
    gan.save(folder / "gan.keras")
    gan.save(folder / "gan", zipped=False)
    gan.averaged_generator.save(folder / "generator.keras")
    return folder, state(gan), gan(LATENTS).numpy()


@pytest.mark.parametrize("name", ["gan.keras", "gan"])
def test_a_saved_gan_is_loaded_and_trains_on(name, saved):
    folder, expected, faces = saved
    gan = ganime.load_gan(str(folder / name))
    assert same(state(gan), expected) and np.array_equal(gan(LATENTS), faces)
    gan.run_eagerly = True
    gan.train_on_batch(PICTURES)
    assert int(gan.step) == 3


def test_what_is_no_gan_is_refused_in_a_line(saved, tmp_path):
    (tmp_path / "broken.keras").write_bytes(b"PK" + bytes(99))
    flipped = bytearray((saved[0] / "gan.keras").read_bytes())
    flipped[len(flipped) // 2] ^= 1  # in the weights, where Keras does not notice it
    (tmp_path / "flipped.keras").write_bytes(flipped)
    for path, message in (
        (saved[0] / "generator.keras", r"is no whole GAN but another model; ganime\.load_generator opens generators$"),
        (tmp_path / "none.keras", r"none\.keras does not exist$"),
        (tmp_path / "broken.keras", r"broken\.keras is .*"),
        (tmp_path / "flipped.keras", r"flipped\.keras is damaged"),
        (tmp_path / "no-run", "there is no run .*no-run"),
    ):
        with pytest.raises(GanimeError, match=message) as error:
            ganime.load_gan(path)
        assert isinstance(error.value, InputError)
