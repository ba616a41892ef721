import pytest

from ganime.errors import InputError
from ganime.labels import labels_of, read_layer_name, write_layer_name
from ganime.networks import build_generator
from ganime.recipes import Recipe, name_recipe

NAMES = ("blonde", "light brown", "1girl, solo", "日本>.2f", "a/b\\c", "-", "ü")


def test_labels_of_any_names_are_the_name_of_a_layer_that_keras_takes():
    assert read_layer_name(write_layer_name(NAMES)) == NAMES
    assert write_layer_name(NAMES[:2]) == "labels>blonde>light.20brown"
    assert labels_of(build_generator(32, 4, (4,), labels=NAMES)) == NAMES
    assert labels_of(build_generator(32, 4, (4,))) == () == read_layer_name("reshape_3")


@pytest.mark.parametrize("name", ["labels>", "labels>a", "labels>a>a", "labels>a>.ff", "labels>a>" + "b" * 101])
def test_a_layer_that_names_what_cannot_be_is_refused(name):
    with pytest.raises(InputError, match="labels"):
        read_layer_name(name)


@pytest.mark.parametrize(
    "labels, message",
    [
        (["a"], "nothing to tell apart"),
        (["a", "b", "a"], "'a' is there twice"),
        (["a", ""], "'' is no name"),
        (["a", " b"], "' b' is no name"),
        (["a", "b\n"], "is no name"),
        (["a", "b" * 101], "of 1 to 100"),
        ([f"{i}" for i in range(1001)], "1,001 .*1,000 are allowed"),
        (["a", 1], "not of type str"),
    ],
)
def test_a_recipe_takes_names_that_can_be_told_apart(labels, message):
    with pytest.raises(InputError, match=message):
        Recipe(labels=labels)


def test_a_recipe_has_many_labels_and_is_named_without_them():
    recipe = Recipe(labels=tuple(f"tag {i}" for i in range(300)), batch_size=64)
    assert len(recipe.labels) == 300 and "tag" not in name_recipe(recipe)
