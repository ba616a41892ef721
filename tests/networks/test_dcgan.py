import keras
import numpy as np
import pytest

import ganime
from ganime.errors import InputError
from ganime.networks.dcgan import keeps_side


@pytest.mark.parametrize("size", [32, 40, 64, 96, 128, 256])
def test_every_size_works(size):
    generator = ganime.build_generator(size, latent_size=5, widths=(8, 4))
    images = generator(keras.random.normal((3, 5)))
    assert images.shape == (3, size, size, 3)
    assert float(keras.ops.max(keras.ops.abs(images))) <= 1
    assert ganime.build_discriminator(size, widths=(4, 8), minibatch_deviation=3)(images).shape == (3, 1)


@pytest.mark.parametrize("size", [16, 50, 512])
def test_other_sizes_are_refused(size):
    with pytest.raises(InputError, match=str(size)):
        ganime.build_generator(size)


def test_widths_count_from_the_finest_layer():
    def widths(*given):
        layers = ganime.build_generator(128, widths=given).layers
        return [layer.filters for layer in layers if isinstance(layer, keras.layers.Conv2DTranspose)][:-1]

    assert widths(16, 8, 4) == [16, 16, 16, 8, 4]
    assert widths(64, 32, 16, 8, 4, 2) == [32, 16, 8, 4, 2]


def test_deeper_layers_change_nothing_at_first():
    def build(depth):
        keras.utils.set_random_seed(0)
        return ganime.build_generator(32, latent_size=5, widths=(8, 6, 4), depth=depth)

    points, plain, deeper = keras.random.normal((3, 5), seed=0), build(1), build(3)
    images = plain(points)
    assert len(deeper.trainable_weights) == len(plain.trainable_weights) + 3 * 2 * 2  # a kernel and a bias each
    assert np.ptp(images) > 0.01 and np.allclose(deeper(points), images, atol=1e-6)
    for layer in filter(keeps_side, deeper.layers):
        before = layer.kernel.numpy()
        layer.kernel.assign(before * 0.5)
        assert not np.allclose(deeper(points), images, atol=1e-4)
        layer.kernel.assign(before)


def test_torch_initialization_is_uniform_within_one_over_root_fan_in():
    keras.utils.set_random_seed(0)
    generator = ganime.build_generator(widths=(64, 32, 16, 8), bias=True)
    for layer in generator.layers:
        if isinstance(layer, keras.layers.Conv2DTranspose):
            bound = (layer.kernel_size[0] ** 2 * layer.filters) ** -0.5
            kernel = layer.kernel.numpy()
            assert np.abs(kernel).max() <= bound
            error = (0.2 / kernel.size) ** 0.5  # relative standard error of a uniform sample's deviation
            assert kernel.std() == pytest.approx(bound / 3**0.5, rel=4 * error)
            assert np.abs(layer.bias.numpy()).max() <= bound


def test_minibatch_deviation_sees_collapse():
    keras.utils.set_random_seed(0)
    discriminator = ganime.build_discriminator(32, widths=(4, 8, 8), norm="none", minibatch_deviation=4)
    varied = keras.random.uniform((4, 32, 32, 3), -1, 1, seed=1)
    collapsed = keras.ops.repeat(varied, 4, axis=0)  # each a group of its own
    alone = keras.ops.convert_to_numpy(discriminator(collapsed))[::4, 0]
    both = keras.ops.convert_to_numpy(discriminator(keras.ops.concatenate([varied, collapsed])))[:, 0]
    shift = both[:4] - alone
    assert np.abs(shift).min() > 1e-5 and np.ptp(shift) < 1e-6  # variety shifts every logit of its group by the same
    assert np.allclose(both[4:], np.repeat(alone, 4), atol=1e-5)  # and none of another group


@pytest.mark.parametrize(
    ("build", "given", "message"),
    [
        ("generator", {"image_size": (64, 64)}, r"image_size: \(64, 64\) is not of type int"),
        ("generator", {"latent_size": 0}, "latent_size: 0 is not from 1"),
        ("generator", {"widths": 64}, "generator_widths: 64 is not a list"),
        ("generator", {"widths": (0,)}, "generator_widths: 0 is not from 1"),
        ("generator", {"initializer": "he"}, "initializer: 'he' is not one of torch, glorot, normal"),
        ("discriminator", {"widths": ()}, r"discriminator_widths: \(\) is not a list"),
        ("discriminator", {"slopes": 0.2}, "discriminator_slopes: 0.2 is not a list"),
        ("discriminator", {"norm": "layer"}, "discriminator_norm: 'layer' is not one of batch, batch-inner, none"),
        ("discriminator", {"minibatch_deviation": -1}, "minibatch_deviation: -1 is not a whole number"),
    ],
)
def test_values_beyond_their_bounds_are_refused(build, given, message):
    with pytest.raises(InputError, match=message):
        getattr(ganime, f"build_{build}")(**given)
