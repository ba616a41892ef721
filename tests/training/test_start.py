"""A new run that starts from trained networks: a run's, a file's."""

import json
import shutil
from dataclasses import asdict, replace

import click
import keras
import numpy as np
import pytest

import ganime
from ganime.cli import cli
from ganime.data.drawn import DrawnFaces
from ganime.errors import GanimeError, InputError
from ganime.files import hash_file
from ganime.recipes import RECIPES, Recipe, get_recipe
from ganime.run import Run
from ganime.state import read_state
from ganime.training.building import NETWORK_FIELDS, TRAINED, build_gan, build_networks, read_fields
from ganime.training.fit import fit
from ganime.training.loading import begin_from, load_gan, open_start
from tests.conftest import FACES64, PLAIN
from tests.training.small import make_small_gan, one_gan  # noqa: F401
from tests.training.test_fit import assert_same_training

HOW = [text for text in PLAIN if text.partition("=")[0] not in NETWORK_FIELDS]  # what is set where the networks are given
RECIPE = get_recipe("default").override(*PLAIN, "feature_after=0", "r1_fall=0")


def weights(gan):
    return [network.get_weights() for network in (gan.generator, gan.discriminator, gan.averaged_generator)]


def same(one, other):
    pairs = [pair for lists in zip(one, other, strict=True) for pair in zip(*lists, strict=True)]
    return len(pairs) > 5 and all(np.array_equal(*pair) for pair in pairs)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A run of two steps, each of them saved."""
    run = Run(tmp_path_factory.mktemp("runs") / "source")
    fit(run, RECIPE, DrawnFaces(30), steps=2, sample_every=2, save_every=1, verbose=0)
    return run


@pytest.fixture(scope="module")
def known(source):
    """The networks to which the source has come."""
    return weights(load_gan(source))


@pytest.fixture(scope="module")
def begun(source):
    """A run that was started from the source with a recipe's name, and has saved nothing yet; and its model."""
    run = Run(source.path.with_name("begun"))
    return run, fit(run, "default", DrawnFaces(20), steps=0, seed=7, start=source, verbose=0)


@pytest.fixture(scope="module")
def trained(source):
    """A run of two steps from the source, each of them saved; the first process was killed before it had saved anything."""
    run = Run(source.path.with_name("trained"))
    for steps in (0, 2):
        fit(run, RECIPE, DrawnFaces(), steps=steps, save_every=1, start=source.path, verbose=0)
    return run


@pytest.fixture(scope="module")
def files(source, tmp_path_factory):
    """A whole GAN, and a generator with its discriminator beside it."""
    folder, gan = tmp_path_factory.mktemp("files"), load_gan(source)
    gan.save(folder / "gan.keras")
    gan.averaged_generator.save(folder / "face.keras")
    gan.discriminator.save(folder / "face.discriminator.keras")
    return folder


def test_a_run_starts_with_both_networks_and_the_average_of_another_and_nothing_else(source, known, begun):
    run, gan = begun
    assert same(weights(gan), known) and not np.array_equal(known[0][0], known[2][0])
    new = build_gan(gan_recipe := Recipe(**run.read_config()["recipe"]))
    assert same(*([[variable.numpy() for variable in one.optimizer.variables]] for one in (gan, new)))
    assert int(gan.step) == 0 and gan.seed == 7
    expected = {name: getattr(RECIPE if name in NETWORK_FIELDS else get_recipe("default"), name) for name in asdict(RECIPE)}
    assert asdict(gan_recipe) == expected | TRAINED
    assert run.read_config()["from"] == {"name": "source", "step": 2, "sha256": hash_file(source.state_path)}
    grids = [source.samples_path / "step-000002.png", run.samples_path / "step-000000.png"]
    assert grids[0].read_bytes() == grids[1].read_bytes()


def test_the_average_keeps_its_half_life_from_the_first_step_on(source, known, trained, tmp_path):
    """It was worth keeping; that of first weights is forgotten at once."""
    gan = load_gan(trained)
    read_state(trained.previous_path).load_into(gan)
    generator, _, average = weights(gan)
    keep = 0.5 ** (RECIPE.batch_size / RECIPE.ema_half_life)
    assert int(gan.step) == 1 and 0.8 < keep < 0.9
    for before, after, current in zip(known[2], average, generator, strict=True):
        assert np.allclose(after, keep * before + (1 - keep) * current, atol=1e-6)
    new = load_gan(source)
    for number, (one, settled) in enumerate(((gan, True), (new, False))):
        one.save(tmp_path / f"{number}.keras")
        assert one.averaged_generator.settled is load_gan(tmp_path / f"{number}.keras").averaged_generator.settled is settled


def test_a_run_goes_on_exactly_without_its_source(trained, tmp_path):
    """As a kill after the first step leaves it."""
    run = Run(shutil.copytree(trained.path, tmp_path / "killed"))
    shutil.copyfile(run.previous_path, run.state_path)
    fit(run, RECIPE, DrawnFaces(), steps=2, verbose=0)
    assert_same_training(trained, run)


def test_a_run_that_has_saved_nothing_needs_the_very_same_source(source, begun, tmp_path, monkeypatch):
    run, _ = begun
    monkeypatch.chdir(tmp_path)
    for start in (None, "source"):
        with pytest.raises(
            InputError, match=r"begun, which started from source, has saved nothing yet: there is no run source"
        ):
            open_start(start, run)
    moved = shutil.copytree(source.path, tmp_path / "checkpoints" / "source")
    assert open_start(None, run).origin == run.read_config()["from"]  # found by its name
    shutil.copyfile(source.previous_path, Run(moved).state_path)
    for start in (None, "source", moved):
        with pytest.raises(InputError, match=r"started from source at step 2, which is another one now, .* remove .*begun$"):
            open_start(start, run)


def test_a_run_that_goes_on_does_so_from_its_own_state_and_is_not_given_another_start(source, trained, begun, tmp_path):
    origin = trained.read_config()["from"]
    for start in (None, tmp_path / "source"):  # the source may be gone, or have been trained on
        found = open_start(start, trained)
        assert (found.origin, found.weights) == (origin, None)
    assert open_start(None, source) is None
    for run, start, message in (
        (trained, "shipped", r"from\.name \(was source, is shipped\)"),
        (trained, tmp_path / "gan.keras", r"from\.name \(was source, is gan\.keras\)"),
        (source, source, r"from\.name \(was None, is source\)"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            fit(run, RECIPE, DrawnFaces(), steps=3, start=start)
        assert "sha256" not in str(caught.value)
    config, of_state = Run(shutil.copytree(trained.path, tmp_path / "lost")), trained.newest_state().about["config"]
    config.config_path.unlink()
    assert of_state["from"] == origin == open_start(None, config).origin


def test_the_command_goes_on_with_and_without_the_option(source, trained, capsys, tmp_path):
    command = ["fit", "--run", str(trained.path), "--steps", "2", *(word for text in HOW for word in ("--set", text))]
    for words in ([], ["--from", str(source.path)]):
        cli.main([*command, *words], standalone_mode=False)
        assert "Done. Look at" in capsys.readouterr().out and not open_start(None, trained).weights
    with pytest.raises(click.UsageError, match=r"networks of source are given: latent_size is 8, set to 9\. Leave"):
        cli.main(
            [*command, "--run", f"{tmp_path}/new", "--from", str(source.path), "--set", "latent_size=9"], standalone_mode=False
        )


def test_what_is_set_and_makes_other_networks_is_refused_with_both_values(source, tmp_path):
    start = open_start(source, Run(tmp_path / "new"))
    for assignments, values in (
        (["latent_size=9", "batch_size=8"], {}),
        ([], {"latent_size": 9, "discriminator_norm": "none"}),
        (["discriminator_slopes=0.2,0.2", "latent_size=9"], {}),
    ):
        with pytest.raises(InputError, match=r"latent_size is 8, set to 9") as caught:
            start.adopt(RECIPES["large"], *assignments, **values)
        assert "batch_size" not in str(caught.value) and "norm" not in str(caught.value)
    # What is another way to say the same is not refused, nor what is not of the networks.
    recipe = start.adopt(RECIPES["large"], "generator_widths=99,16,8,8", "discriminator_slopes=0.2,0.2", "batch_size=8")
    assert (recipe.batch_size, recipe.latent_size, recipe.g_learning_rate) == (8, 8, RECIPES["large"].g_learning_rate)
    with pytest.raises(InputError, match=r"generator_widths is \(16, 8, 8\), set to \(256, 128, 64, 32\)"):
        fit(tmp_path / "new", get_recipe("default"), DrawnFaces(20), steps=0, start=source)  # it sets all
    with pytest.raises(InputError, match="recipe: there is no field 'latent_sise'; did you mean latent_size"):
        fit(tmp_path / "new", {"latent_sise": 9}, DrawnFaces(20), steps=0, start=source)
    assert not (tmp_path / "new").exists()


def test_the_generator_may_become_deeper_and_draws_the_same_at_first(source, known, tmp_path):
    points = keras.random.normal((5, 8), seed=0)
    shallow, run, deepest = load_gan(source), Run(tmp_path / "deeper"), Run(tmp_path / "deepest")
    gan = fit(run, {"generator_depth": 2}, DrawnFaces(20), steps=0, start=source, verbose=0)
    assert [len(gan.generator.weights), len(known[0])] == [26, 20]
    for network, before in ((gan.generator, shallow.generator), (gan.averaged_generator, shallow.averaged_generator)):
        assert np.allclose(network(points), before(points), atol=1e-5)
    assert np.array_equal(*(np.concatenate([*map(np.ravel, g.discriminator.get_weights())]) for g in (gan, shallow)))
    gan = fit(run, {"generator_depth": 2}, DrawnFaces(20), steps=1, start=source, verbose=0)
    assert open_start(None, run).fields["generator_depth"] == 2
    deeper = fit(deepest, {"generator_depth": 4}, DrawnFaces(20), steps=0, start=run, verbose=0)
    assert len(deeper.generator.weights) == 38
    assert np.allclose(deeper.generator(points), gan.generator(points), atol=1e-5)
    start = open_start(run, Run(tmp_path / "new"))
    with pytest.raises(InputError, match="generator_depth is 2, set to 1"):
        start.adopt(None, "generator_depth=1")
    leaky = replace(start, fields={**start.fields, "generator_slope": 0.2})
    with pytest.raises(InputError, match="generator_depth is 2, set to 3"):
        leaky.adopt(None, "generator_depth=3")


@pytest.mark.parametrize("field", TRAINED)
def test_what_counts_from_first_weights_is_over_in_trained_networks_unless_it_is_said(source, tmp_path, field):
    run, late = Run(tmp_path / "new"), get_recipe("default").override(*PLAIN, "feature_weight=1", f"{field}=99")
    start = open_start(source, run)
    recipes = [start.adopt(None, "feature_weight=1"), start.adopt(late), start.adopt(None, f"{field}=7")]
    recipes += [begin_from(start, run, recipe)[1] for recipe in ("default", {field: 8}, late)]
    assert [getattr(recipe, field) for recipe in recipes] == [0, 0, 7, 0, 8, 99]


def test_without_a_recipe_it_is_the_one_with_such_a_generator(source, tmp_path):
    run = Run(tmp_path / "new")
    shipped = open_start("shipped", run)
    as_large = replace(RECIPES["large"], generator_depth=2, discriminator_widths=(96, 192, 384, 768))
    assert shipped.adopt(None) == as_large
    assert shipped.adopt(None, "batch_size=8") == begin_from(shipped, run, as_large.override("batch_size=8"))[1]
    assert begin_from(shipped, run, None)[1] == as_large
    assert begin_from(shipped, run, "default")[1].batch_size == RECIPES["default"].batch_size
    tiny = open_start(source, run)
    assert tiny.adopt(None) == tiny.adopt(RECIPES["default"])
    with pytest.raises(InputError, match="recipe: None is not"):
        begin_from(None, run, None)


@pytest.mark.skipif(not FACES64.is_dir(), reason="no real faces here")
def test_the_shipped_discriminator_tells_its_generators_faces_from_held_out_pictures(tmp_path):
    start, (_, held_out) = open_start("shipped", Run(tmp_path / "new")), ganime.split(ganime.PictureFolder(FACES64), 64)
    discriminator = build_networks(start.adopt(None))[1]
    discriminator.set_weights(start.weights[1])
    faces = held_out.load_batch(range(64), 64), ganime.sample(ganime.load_generator(), range(64))
    real, generated = (discriminator.predict(pictures / np.float32(127.5) - 1, verbose=0) for pictures in faces)
    assert (real > generated.T).mean() > 0.9


@pytest.mark.parametrize("name", ["gan.keras", "face.keras"])
def test_files_serve_as_runs_do(name, files, source, known, tmp_path):
    start = open_start(files / name, Run(tmp_path / "new"))
    assert start.fields == open_start(source, Run(tmp_path / "new")).fields
    whole = name == "gan.keras"
    assert same(start.weights, known if whole else [known[2], known[1], known[2]])
    content = b"".join((files / part).read_bytes() for part in ([name] if whole else [name, "face.discriminator.keras"]))
    (tmp_path / "content").write_bytes(content)
    assert start.origin == {"name": name, **({"step": 2} if whole else {}), "sha256": hash_file(tmp_path / "content")}
    assert str(start) == ("gan.keras at step 2" if whole else "face.keras")


def test_what_no_run_can_start_from_is_said_in_a_line(files, source, tmp_path, monkeypatch):
    folder = shutil.copytree(files, tmp_path / "files")
    generator, discriminator = build_networks(RECIPE)
    for name in ("flipped", "infinite", "larger", "swapped", "alone"):
        shutil.copyfile(folder / "face.keras", folder / f"{name}.keras")
    shutil.copyfile(folder / "face.discriminator.keras", folder / "flipped.discriminator.keras")
    flip(folder / "flipped.discriminator.keras")
    discriminator.set_weights([np.full_like(array, np.inf) for array in discriminator.get_weights()])
    discriminator.save(folder / "infinite.discriminator.keras")
    build_networks(RECIPE.override("image_size=64"))[1].save(folder / "larger.discriminator.keras")
    generator.save(folder / "swapped.discriminator.keras")
    make_small_gan().save(folder / "own.keras")
    layers = load_gan(source).generator
    keras.Model(layers.input, keras.layers.Activation("tanh")(layers.output)).save(folder / "longer.keras")
    shutil.copyfile(folder / "face.discriminator.keras", folder / "longer.discriminator.keras")
    load_gan(files / "gan.keras").save(folder / "gan", zipped=False)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("ganime.training.loading.find_generator", lambda: folder / "shipped.keras")
    shutil.copyfile(folder / "face.keras", folder / "shipped.keras")
    damaged = Run(shutil.copytree(source.path, tmp_path / "damaged"))
    flip(damaged.state_path), flip(damaged.previous_path)
    for start, message in (
        ("shipped", r"shipped\.keras lacks its discriminator, .* there is no .*shipped\.discriminator\.keras$"),
        (
            source.generator_path,
            r"there is no .*generator\.discriminator\.keras; if you mean its run, that is --from .*source$",
        ),
        ("alone.keras", r"alone\.keras lacks its discriminator, .* no alone\.discriminator\.keras$"),
        (folder / "none.keras", r"none\.keras does not exist"),
        (tmp_path / "none", r"there is no run .*none"),
        (damaged, r"gan\.weights\.h5 is damaged: .*previous\.weights\.h5 is damaged"),
        (folder / "flipped.keras", r"flipped\.discriminator\.keras is damaged"),
        (folder / "infinite.keras", r"infinite\.keras: some of its weights are not finite"),
        (folder / "larger.keras", r"larger\.keras: the generator makes images of .* but the discriminator takes"),
        (folder / "swapped.keras", r"swapped\.keras: "),
        (folder / "own.keras", r"own\.keras: its networks are not such as build_generator and build_discriminator make"),
        (folder / "longer.keras", r"longer\.keras: its networks are not such"),
        (folder / "gan", r"gan is a folder; a run starts from a file"),
        ("hf://user/name", r"hf://user/name: what is shared is a generator, without"),
        ("", "names no folder"),
        (3, "start: 3 is neither a run nor"),
    ):
        with pytest.raises(GanimeError, match=message) as caught:
            open_start(start, Run(tmp_path / "new"))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        ["minibatch_deviation=0", "discriminator_norm=batch", "head_channels=3", "discriminator_widths=8,16"],
        ["bias=no", "discriminator_norm=batch-inner", "initializer=glorot", "generator_slope=0.3", "norm_momentum=0.5"],
        ["image_size=48", "initializer=normal", "discriminator_slopes=0.1,0.2", "norm_epsilon=0.001", "minibatch_deviation=2"],
        ["generator_depth=3"],
    ],
)
def test_the_fields_are_read_from_networks(changes):
    recipe = RECIPE.override(*changes)
    found = read_fields(*build_networks(recipe))
    assert {name: getattr(recipe, name) for name in NETWORK_FIELDS} == found


def test_what_is_known_of_the_start_is_checked_and_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = {"name": "faces", "pictures": 9, "fingerprint": "f"}
    config = {"recipe": asdict(RECIPE), "seed": 0, "data": data, "from": {"name": "faces-default", "step": 2000, "sha256": "0"}}
    run = Run("mine")
    run.open(config)
    (summary,) = ganime.runs()
    assert summary.start == "faces-default at step 2,000" and ", from faces-default at step 2,000, " in repr(summary)
    for origin in ([], 5, {}, {"name": "x"}, {"name": 1, "sha256": "0"}, {"name": "x", "sha256": "0", "step": "1"}):
        run.config_path.write_text(json.dumps({**config, "from": origin}))
        with pytest.raises(InputError, match=r"config\.json is damaged"):
            run.read_config()
