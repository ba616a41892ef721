import pytest

from ganime.errors import InputError
from ganime.recipes import RECIPES, Recipe, get_recipe, name_recipe


def test_overrides_take_the_fields_type():
    recipe = Recipe().override(
        "batch_size=64", "generator_widths=64, 32", "flips=yes", "r1_weight=1", "augmentations=color,cutout"
    )
    assert recipe == Recipe(
        batch_size=64, generator_widths=(64, 32), flips=True, r1_weight=1.0, augmentations=("color", "cutout")
    )
    assert recipe.override("augmentations=").augmentations == ()
    assert Recipe().override("latent_size=8", batch_size=3).batch_size == 3
    with pytest.raises(InputError, match="batch_sise"):
        Recipe().override(batch_sise=3)


def test_a_recipe_is_named_by_the_nearest_one_and_what_was_set():
    assert name_recipe(get_recipe("zero-to-gans")) == "puppy-projects or zero-to-gans"  # both are the same
    assert name_recipe(get_recipe("large").override("flips=no")) == "large with flips=False"
    changed = get_recipe("default").override("generator_widths=8,8", "batch_size=64")
    name, _, changes = name_recipe(changed).partition(" with ")
    assert get_recipe(name.split(" or ")[0]).override(*changes.split()) == changed


@pytest.mark.parametrize(
    "text",
    [
        "batch_size",
        "no_such_field=1",
        "batch_size=0",
        "batch_size=1.5",
        "batch_size=many",
        "flips=2",
        "label_noise=1.1",
        "label_noise=nan",
        "r1_weight=inf",
        "beta_1=1",
        "initializer=zeros",
        "augmentations=color,wind",
        "generator_widths=",
        "generator_widths=8,0",
    ],
)
def test_what_does_not_fit_is_refused_by_name(text):
    with pytest.raises(InputError, match=text.partition("=")[0]):
        Recipe().override(text)


def test_an_unknown_recipe_names_the_known_ones():
    with pytest.raises(InputError, match="zero-to-gans"):
        get_recipe("nothing")
    assert {
        "default",
        "large",
        "puppy-projects",
        "zero-to-gans",
        "anime-faces-creation",
        "anime-face-generation",
        "generating-anime",
    } == set(RECIPES)


@pytest.mark.parametrize(
    "values",
    [
        {"batch_size": 10**9},
        {"batch_size": 10**5000},
        {"image_size": 2**20},
        {"g_learning_rate": 10**400},
        {"g_learning_rate": -1.0},
        {"d_updates": 10**6},
        {"ema_half_life": 10**18},
        {"generator_widths": (8192,) * 4},
        {"generator_widths": (8192,), "generator_depth": 3},
        {"discriminator_widths": (1,) * 1000},
        {"generator_widths": [[64]]},
        {"initializer": "\x1b[31m" * 1000},
    ],
)
def test_what_no_machine_could_do_is_refused_in_a_line(values):
    with pytest.raises(InputError, match=next(iter(values))) as raised:
        Recipe(**values)
    assert len(str(raised.value)) < 1100 and str(raised.value).isprintable()
