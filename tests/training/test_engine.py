"""Every way to compute a training gives the same training."""

import re
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganime.data.drawn import DrawnFaces
from ganime.errors import InputError
from ganime.history import read_history
from ganime.networks import build_discriminator, build_generator
from ganime.recipes import get_recipe
from ganime.run import Run
from ganime.training import callbacks as cb
from ganime.training import engine, hardware
from ganime.training.engine import Engine, choose, shared_gpus
from ganime.training.fit import build_gan, fit
from ganime.training.hardware import Hardware
from tests.training.test_gan import make_gan, same, train, weights

STEPS = 20
LOSSES = ("d_loss", "g_loss", "real_score", "fake_score")


@pytest.fixture(scope="module")
def tiny(tiny):
    return tiny.override("g_learning_rate=2e-4", "d_learning_rate=2e-4")  # differences by rounding grow with the learning rate


def run(path, recipe, **options):
    run = Run(path)
    gan = fit(run, recipe, DrawnFaces(50), STEPS, sample_every=10, save_every=10, engine=Engine(**options))
    assert int(gan.step) == STEPS
    return read_history(run.history_path), gan.get_weights()


def test_every_engine_gives_the_same_training(tiny, tmp_path, one_gan):
    """20 steps: in any stretches, and with pictures kept anywhere, the same to the bit; 16 bits round more."""
    plain = run(tmp_path / "plain", tiny, steps_per_execution=1, keep_pictures="disk")
    # Here, the device is TensorFlow's own memory.
    history, trained = run(tmp_path / "run", tiny, steps_per_execution=7, keep_pictures="device")
    assert history["step"].tolist() == plain[0]["step"].tolist() == [*range(1, STEPS + 1)]
    for name in plain[0].keys() - {"seconds", "images_per_second"}:
        assert np.array_equal(history[name], plain[0][name])
    assert len(trained) > 40 and same(trained, plain[1])
    files = [sorted(path.relative_to(tmp_path / name) for path in (tmp_path / name).rglob("*")) for name in ("plain", "run")]
    assert files[0] == files[1]
    for precision in ("bfloat16", "float16"):
        assert_close(run(tmp_path / precision, tiny, precision=precision)[0], plain[0], 5e-3)


def test_callbacks_count_steps_not_executions(tiny, tmp_path, capsys, one_gan):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = Run(tmp_path / "run")
    callbacks = [cb.TensorBoard(tmp_path / "logs", update_freq=10)]
    fit(run, tiny, DrawnFaces(50), 50, save_every=20, callbacks=callbacks)
    events = EventAccumulator(str(tmp_path / "logs" / "train")).Reload()
    assert [event.step for event in events.Tensors("batch_d_loss")] == [10, 20, 30, 40, 50]
    history = read_history(run.history_path)
    written = [tf.make_ndarray(event.tensor_proto) for event in events.Tensors("batch_d_loss")]
    assert np.allclose(written, history["d_loss"][9::10])
    durations = np.diff(history["seconds"])
    made = history["images_per_second"][1:] * durations  # more, as grids and states count in the seconds alone
    assert (made > 0.98 * tiny.batch_size - 0.5).all()
    assert capsys.readouterr().out.count("50 steps will take about") == 1


@pytest.mark.slow
def test_xla_gives_the_same_training(tiny, tmp_path):
    plain, compiled = (run(tmp_path / str(jit), tiny, jit_compile=jit)[0] for jit in (False, True))
    assert_close(compiled, plain, 1e-3)


def assert_close(history, plain, tolerance):
    for name in LOSSES:
        assert np.abs(history[name] - plain[name]).max() < tolerance, name
        assert np.abs(history[name][0] - plain[name][0]) < tolerance / 10


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_only_inner_layers_are_in_16_bits(tiny, precision):
    before = keras.config.dtype_policy()
    gan = build_gan(tiny, engine=Engine(precision=precision))
    assert keras.config.dtype_policy() == before
    kinds = (keras.layers.Conv2D, keras.layers.Conv2DTranspose, keras.layers.Dense)
    for network in (gan.generator, gan.discriminator):
        *inner, last = [layer for layer in network.layers if isinstance(layer, kinds)]
        assert {layer.compute_dtype for layer in inner} == {precision} and last.compute_dtype == "float32"
        assert network.output.dtype == "float32"
        assert {variable.dtype for variable in network.variables} == {"float32"}
    assert {layer.compute_dtype for layer in gan.averaged_generator.layers} == {"float32"}
    scaled = isinstance(gan.g_optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == isinstance(gan.d_optimizer, keras.optimizers.LossScaleOptimizer) == (precision == "float16")


def test_a_scaled_loss_gives_the_same_update(images):
    """In float32, where scaling rounds nothing: both losses and the penalty are scaled alike."""
    settings = {"r1_weight": 1.0, "label_noise": 0.0, "reuse_fakes": True}
    scaled = {
        name: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=1024.0)
        for name in ("g_optimizer", "d_optimizer")
    }
    one, other = make_gan(**settings), make_gan(**settings, **scaled)
    for gan in (one, other):
        train(gan, images)
    assert all(np.allclose(a, b, rtol=1e-5, atol=1e-7) for a, b in zip(weights(one), weights(other), strict=True))


@pytest.mark.parametrize(
    ("cpu", "known"),
    [
        ("flags\t\t: fpu avx2 avx512f\nmodel name\t: amx_bf16\n", False),
        ("processor\t: 0\nflags\t\t: avx512f avx512_bf16\n", False),  # slower than float32, as measured
        ("flags\t\t: amx_tile amx_bf16\n", True),
        ("processor\t: 0\nFeatures\t: fp asimd bf16\n", None),
        (None, None),
    ],
)
def test_a_cpu_without_bfloat16_is_known(cpu, known, tmp_path, monkeypatch, caplog):
    if cpu is not None:
        (tmp_path / "cpuinfo").write_text(cpu)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    assert hardware.has_amx(tmp_path / "cpuinfo") is known
    monkeypatch.setattr(hardware, "has_amx", lambda: known)
    Engine(precision="bfloat16")
    Engine(precision="float16")
    assert [record.message.split(":")[0] for record in caplog.records] == ["bfloat16 is slow here"] * (known is False)


@pytest.mark.parametrize(
    ("meminfo", "free"), [("MemTotal: 9 kB\nMemAvailable:    1000 kB\n", 1_024_000), ("", None), (None, None)]
)
def test_the_free_memory_is_known(meminfo, free, tmp_path):
    if meminfo is not None:
        (tmp_path / "meminfo").write_text(meminfo)
    assert hardware.free_memory(tmp_path / "meminfo") == free


@pytest.mark.skipif(hardware.free_memory() is None, reason="only Linux says so")
def test_a_step_that_needs_more_memory_than_is_free_is_said_before(monkeypatch, caplog):
    networks = build_generator(64), build_discriminator(64)
    hardware.warn_of_memory(*networks, batch_size=8)
    hardware.warn_of_memory(*networks, batch_size=10**6)
    monkeypatch.setattr(hardware, "free_memory", lambda: None)
    hardware.warn_of_memory(*networks, batch_size=10**6)
    (said,) = caplog.messages
    assert re.fullmatch(r"a step needs about [\d]{4,} GB of memory, and \d+ GB are free: .* a smaller --set batch_size", said)


def test_what_does_not_fit_is_refused(tiny, tmp_path, one_gan):
    with pytest.raises(InputError, match="precision"):
        Engine(precision="float64")
    with pytest.raises(InputError, match="steps_per_execution 0 is not from 1 to 512"):
        Engine(steps_per_execution=0)
    with pytest.raises(InputError, match="several devices"):
        Engine(sync_batch_norm=True)
    with pytest.raises(InputError, match="float16 is for one device"):
        Engine(precision="float16", strategy=tf.distribute.get_strategy())
    with pytest.raises(InputError, match="jit is for one device"):
        Engine(jit_compile=True, strategy=tf.distribute.get_strategy())
    with pytest.raises(InputError, match="keep-pictures device is for one device"):
        Engine(keep_pictures="device", strategy=tf.distribute.get_strategy())
    with pytest.raises(InputError, match="keep_pictures 'attic' is not one of device, memory, disk"):
        Engine(keep_pictures="attic")
    with tf.distribute.OneDeviceStrategy("cpu").scope(), pytest.raises(InputError, match="give the strategy to Engine"):
        run(tmp_path / "run", tiny)
    assert not (tmp_path / "run").exists()
    fit(Run(tmp_path / "run"), tiny, DrawnFaces(50), 3)
    with pytest.raises(InputError, match="precision"):
        run(tmp_path / "run", tiny, precision="bfloat16")


GB = 10**9
CARD = Hardware(("NVIDIA H100",), 60 * GB, 100 * GB)
DEFAULT, LARGE = get_recipe("default"), get_recipe("large")


@pytest.mark.parametrize(
    ("machine", "recipe", "pictures", "steps", "jit", "kept"),
    [
        (Hardware((), None, 20 * GB), DEFAULT, 16_632, 20_000, False, "memory"),  # 0.2 GB of pixels
        (Hardware((), None, 2 * GB), DEFAULT, 60_000, 20_000, False, "disk"),  # 0.7 GB: more than a quarter of 2
        (Hardware((), None, None), DEFAULT, 16_632, 20_000, False, "memory"),  # a system that tells nothing
        (Hardware((), None, None), DEFAULT, 60_000, 20_000, False, "disk"),
        (CARD, DEFAULT, 60_000, 20_000, True, "device"),
        (CARD, DEFAULT, 60_000, 2_000, False, "device"),  # too short for compiling to pay
        (CARD, LARGE, 1_500_000, 20_000, True, "memory"),  # 18 GB: more than a quarter of the card's 60
        (CARD, LARGE, 10_000_000, 20_000, True, "disk"),
        (CARD, LARGE.override("image_size=128"), 400_000, 20_000, True, "memory"),  # the same number, four times the pixels
        (Hardware(("NVIDIA GeForce RTX 4060",), 7 * GB, 12 * GB), DEFAULT, 60_000, 20_000, True, "device"),
        (Hardware(("NVIDIA GeForce RTX 4060",), 2 * GB, 12 * GB), DEFAULT, 60_000, 20_000, True, "memory"),
        (Hardware(("NVIDIA GeForce RTX 4060",), None, 12 * GB), DEFAULT, 60_000, 20_000, True, "memory"),
    ],
)
def test_an_engine_is_chosen_for_each_machine(machine, recipe, pictures, steps, jit, kept):
    chosen = choose(Engine(), machine, recipe, pictures, steps)
    assert (chosen.jit_compile, chosen.keep_pictures) == (jit, kept)
    assert (chosen.precision, chosen.steps_per_execution, chosen.strategy) == ("float32", None, None)
    assert choose(chosen, Hardware(), DEFAULT, 1, 1) == chosen  # nothing is left open


@pytest.mark.parametrize(
    ("machine", "recipe", "precision"),
    [
        (Hardware(amx=True), DEFAULT, "bfloat16"),
        (Hardware(amx=True), DEFAULT.override("generator_widths=64,32", "discriminator_widths=32,64"), "float32"),
        (Hardware(amx=False), DEFAULT, "float32"),
        (replace(CARD, amx=True), DEFAULT, "float32"),  # the card computes
    ],
)
def test_a_new_run_is_in_bfloat16_where_that_is_quick(machine, recipe, precision):
    assert choose(Engine(), machine, recipe, 100, 100).precision == precision
    assert choose(Engine(precision="float32"), machine, recipe, 100, 100).precision == "float32"


def test_a_run_keeps_its_precision_on_any_machine(tiny, tmp_path, monkeypatch, caplog):
    """It is begun on a CPU with AMX, and goes on without."""
    begun = Run(tmp_path / "run")
    monkeypatch.setattr(engine, "WIDE", 1)
    for amx in (True, False):
        monkeypatch.setattr(engine, "find_hardware", lambda amx=amx, **options: Hardware(amx=amx))
        monkeypatch.setattr(hardware, "has_amx", lambda amx=amx: amx)
        gan = fit(begun, tiny, DrawnFaces(50), 4 - 2 * amx)
        assert gan.discriminator.layers[1].compute_dtype == "bfloat16" and int(gan.step) == 4 - 2 * amx
        assert begun.read_config()["precision"] == "bfloat16"
    assert "bfloat16 is slow here" in caplog.text
    with pytest.raises(InputError, match="precision"):
        fit(begun, tiny, DrawnFaces(50), 5, engine=Engine(precision="float32"))


def test_what_the_user_wants_is_not_chosen():
    wanted = Engine(precision="float16", jit_compile=False, steps_per_execution=3, keep_pictures="disk")
    assert choose(wanted, CARD, DEFAULT, 100, 20_000) == wanted
    assert str(wanted) == "float16, 3 steps at a stretch, pictures are decoded each time: they are too many to keep"
    shared = choose(Engine(strategy=tf.distribute.get_strategy()), CARD, DEFAULT, 100, 20_000)
    assert (shared.jit_compile, shared.keep_pictures) == (False, "memory")


@pytest.mark.parametrize(
    ("gpus", "batch_size", "group", "shared"),
    [
        *[(n, 32, 4, 1) for n in (0, 1, 2, 8)],  # so few pictures are quicker on one
        (2, 128, 4, 2),
        (8, 128, 4, 2),  # each has 64 then
        (8, 1024, 4, 8),
        (3, 256, 4, 2),  # 256 cannot be parted among 3
        (3, 252, 4, 3),
        (3, 255, 0, 3),
    ],
)
def test_a_batch_is_shared_among_gpus_where_each_has_enough_to_do(gpus, batch_size, group, shared):
    recipe = replace(DEFAULT, batch_size=batch_size, minibatch_deviation=group)
    assert shared_gpus(Hardware(("GPU",) * gpus), recipe) == shared
