import numpy as np
import pytest

from ganime.bounds import check_ending, check_whole, suggest, within_bounds
from ganime.errors import InputError


def test_bounds_are_a_recipes():
    assert within_bounds(r1_weight=np.float32(2), augmentations=["color"]) == {"r1_weight": 2.0, "augmentations": ("color",)}
    with pytest.raises(InputError, match="label_noise: 2 is not from 0 to 1"):
        within_bounds(label_noise=2)


@pytest.mark.parametrize("value", [0, -1, "3", 1.0, True, None, np.float32(1)])
def test_whole_numbers_are_that(value):
    check_whole(every=np.int64(1), most=10**30)
    check_whole(0, steps=0)
    with pytest.raises(InputError, match=r"every: .* is not a whole number of 1 or more"):
        check_whole(every=value)
    with pytest.raises(InputError, match="seed: 8 is not a whole number from 0 to 7"):
        check_whole(0, 7, seed=8)


def test_endings_and_names(tmp_path):
    check_ending("path", tmp_path / "a.keras", ".keras")
    with pytest.raises(InputError, match=r"path: 'a\.h5' does not end in \.keras"):
        check_ending("path", "a.h5", ".keras")
    assert suggest("lable_noise", ["label_noise"]) == "; did you mean label_noise?" and suggest("wind", ["steps"]) == ""
