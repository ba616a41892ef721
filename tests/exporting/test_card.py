"""The model's card: what it says is what was recorded."""

import dataclasses
import json

import h5py
import pytest
import yaml

from ganime.errors import GanimeError, InputError
from ganime.exporting.card import Subject, check_license, model_card, page_card
from ganime.exporting.facts import describe
from ganime.generation.chain import read_chain
from ganime.recipes import get_recipe
from ganime.run import Run
from ganime.training.fit import build_gan

PHOTOS = {"name": "my|<b>`faces`", "pictures": 1500, "fingerprint": "f00"}


@pytest.fixture
def run(small_generator, tmp_path):
    """A run of 1,000 steps, as far as a card asks for it."""
    run = Run(tmp_path / "own-faces")
    recipe = dataclasses.asdict(get_recipe("default").override("batch_size=64"))
    run.open({"recipe": recipe, "seed": 3, "data": PHOTOS, "versions": {"ganime": "0.1.0"}})
    run.generator_path.write_bytes(small_generator.read_bytes())
    run.state_path.parent.mkdir()
    with h5py.File(run.state_path, "w") as state:
        state["vars/0"] = 1000
    return run


def write(run, **about):
    facts = describe(run.generator_path, 8)
    return model_card(Subject(run, read_chain(run.generator_path), facts, **about))


def matter(card):
    return yaml.safe_load(card.split("---\n")[1])


def test_the_card_says_what_was_recorded(run):
    card = write(run, license_name="CC-BY-4.0", edits=("fringe",), hub_name="me/faces", judge=True)
    assert matter(card) == {
        "license": "cc-by-4.0",
        "library_name": "keras",
        "pipeline_tag": "unconditional-image-generation",
        "tags": ["ganime", "gan", "dcgan", "anime"],
    }
    for words in (
        "# own-faces\n",
        "float32 [batch, 8], standard normal",
        "float32 [batch, 32, 32, 3]",
        "1,000 steps of 64, so 64,000 pictures; seed 3",
        "| data | my__b__faces_: 1,500 pictures, fingerprint `f00` |",  # a name is not Markdown
        "the pictures' rights stay with their artists, and none of them is here; the generator may be used under CC-BY-4.0",
        "python cli.py fit --data FOLDER --recipe default --set batch_size=64 --steps 1000 --seed 3\n",
        "| `batch_size` | 64 | pictures per step |",
        "## Scores\n\nNot measured.",
        "--model hf://me/faces\n",
        "`--edit NAME=STRENGTH`: fringe.",
        "`generator.judge.npz` is its judge: `--best COUNT` keeps",
    ):
        assert words in card, words
    assert "`image_size`" not in card  # as in a plain DCGAN


def test_what_nobody_states_is_not_stated(run):
    card = write(run)
    assert "judge.npz" not in card and "license" not in matter(card) and "no license of the generator is stated" in card
    assert "--edit" not in card and "--model generator.keras" in card


def test_drawn_faces_are_nobodys(run):
    run.config_path.write_text(run.config_path.read_text().replace("f00", "drawn-faces-1-20000"))
    card = write(run)
    assert "ganime drew the pictures itself" in card and "artists" not in card and "--data" not in card.split("## Use")[0]


def test_pictures_that_it_was_trained_on_before_are_named(run):
    config = json.loads(run.config_path.read_text())
    config["data_before"] = [{**config["data"], "step": 1200}]
    config["data"] |= {"name": "drawn", "fingerprint": "drawn-faces-1-20000"}
    run.config_path.write_text(json.dumps(config))
    card = write(run)
    assert "fingerprint `drawn-faces-1-20000`; until step 1,200 my__b__faces_: 1,500 pictures, fingerprint `f00` |" in card
    assert "ganime drew the pictures itself" not in card


def test_only_scores_of_this_very_generator_are_shown(run):
    ours = describe(run.generator_path, 8)["sha256"]
    real = {"name": "faces", "part": "test", "pictures": 99, "data": "/home/me/faces"}
    common = {"samples": 5000, "seed": 0, "size": 32, "network": "lite0", "real": real, "truncation": 1.0, "model_sha256": ours}
    results = [
        {**common, "scores": {"FD-lite0": 77.0}},
        {**common, "scores": {"FD-lite0": 12.3, "KID-lite0": 0.03, "KID-lite0-deviation": 0.001}},
        {**common, "scores": {"FD-lite0": 1.0}, "model_sha256": "of before"},
        {**common, "scores": {"FD-lite0": 2.0}, "truncation": 0.5},
    ]
    run.evaluations_path.write_text("".join(json.dumps(result) + "\n" for result in results))
    scores = write(run).split("## Scores")[1].split("## Use")[0]
    assert "5,000 faces, from seed 0 on, against 99 real pictures (faces, part test) at 32x32, by lite0:" in scores
    assert "| FD-lite0 | 12.3 |\n| KID-lite0 | 0.03 +/- 0.001 |" in scores
    assert scores.count("| FD-lite0") == 1 and "/home" not in scores


def test_scores_of_the_training_are_those_at_the_last_saved_step(run):
    rows = ["250,nan", "500,40", "1000,30", "1250,20"]  # killed after 1,250 steps; the generator is of 1,000
    run.history_path.write_text("step,FD-lite0\n" + "".join(f"{row}\n" for row in rows))
    card = write(run)
    assert (
        "after 1,000 steps, against pictures that were held out:\n\n| score | value |\n| --- | --- |\n| FD-lite0 | 30 |" in card
    )
    assert "--steps 1000 --seed 3 --evaluate-every 500\n" in card


def test_the_step_of_a_state_is_where_it_is_read(run, tiny):
    gan = build_gan(tiny)
    gan.step.assign(7)
    gan.save_weights(run.state_path)
    assert "7 steps of 64, so 448 pictures" in write(run)


@pytest.mark.parametrize(
    "damage, error, message",
    [
        (lambda run: run.config_path.write_text("{}"), InputError, r"config\.json is damaged.* \(KeyError: 'recipe'\)"),
        (lambda run: run.config_path.write_text("[]"), InputError, r"config\.json is damaged"),
        (lambda run: run.evaluations_path.write_text("{"), InputError, "has recorded is damaged"),
        (lambda run: run.state_path.unlink(), GanimeError, "cannot be read; `fit` saves it with the generator"),
    ],
    ids=["no recipe", "no object", "evaluations", "no state"],
)
def test_damaged_records_are_one_line(run, damage, error, message):
    damage(run)
    with pytest.raises(error, match=message) as raised:
        write(run)
    assert "\n" not in str(raised.value)


def test_the_page_is_a_static_space(run):
    subject = Subject(
        run, read_chain(run.generator_path), describe(run.generator_path, 8), "My-License-1.0", hub_name="me/faces"
    )
    entries = matter(page_card(subject))
    assert (entries["sdk"], entries["app_file"], entries["title"]) == ("static", "index.html", "own-faces")
    assert (entries["license"], entries["license_name"]) == ("other", "my-license-1.0")
    assert entries["models"] == ["me/faces"] and entries["emoji"] == "\N{ARTIST PALETTE}"


@pytest.mark.parametrize("name", ["", "my license", "x\ny: z", "a" * 65, "-x", "'"])
def test_a_license_is_a_name(name):
    check_license("GPL-3.0-or-later")
    with pytest.raises(InputError, match="is not a name as SPDX has it"):
        check_license(name)
