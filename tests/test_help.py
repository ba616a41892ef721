"""What `help()` says, and whether it is there."""

import inspect
import pkgutil
import re

import pytest

import ganime


def members(name):
    """A public name's own documented parts: itself, and the public ones in it, by name."""
    thing = getattr(ganime, name)
    parts = {name: thing}
    if inspect.isclass(thing) or inspect.ismodule(thing):
        names = getattr(thing, "__all__", [part for part in vars(thing) if not part.startswith("_")])
        parts |= {f"{name}.{part}": getattr(thing, part) for part in names}
    return parts


@pytest.mark.parametrize("name", [name for name in ganime.__all__ if name != "__version__"])
def test_names_that_help_refers_to_are_there(name):
    for part in members(name).values():
        for found in re.findall(r"`(ganime(?:\.\w+)+)", inspect.getdoc(part) or ""):
            pkgutil.resolve_name(found)


def test_a_gan_has_what_its_help_names():
    gan = ganime.GAN(ganime.build_generator(32, 8, (4,)), ganime.build_discriminator(32, (4,)))
    attributes = re.search(r"Attributes:\n(.*?)\n\n", inspect.getdoc(ganime.GAN), re.S)[1]
    names = [name for line in re.findall(r"^    (\w[\w, ]*):", attributes, re.M) for name in line.split(", ")]
    assert {"step", "averaged_generator", "latent_size"} <= {*names} and all(hasattr(gan, name) for name in names)
    assert int(gan.step) == 0 and gan.latent_size == 8


def test_keras_methods_say_what_they_do_with_a_gan():
    for method, said in (("fit", "both networks"), ("evaluate", "held-out"), ("predict", "latents, float32")):
        text = inspect.getdoc(getattr(ganime.GAN, method))
        assert said in text.split("\n\n")[0] and "batch_size: " in text  # Keras' own part comes after


def test_completion_shows_callbacks_alone():
    assert dir(ganime.callbacks) == sorted(ganime.callbacks.__all__)


def test_errors_are_public():
    with pytest.raises(ganime.InputError):
        ganime.get_recipe("none")
    assert issubclass(ganime.InputError, ganime.GanimeError) and issubclass(ganime.NonFiniteError, ganime.GanimeError)
