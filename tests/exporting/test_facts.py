import hashlib
import json
from dataclasses import asdict

from ganime.exporting.facts import describe
from ganime.generation.sampling import SHIPPED
from ganime.networks import build_generator
from ganime.recipes import get_recipe
from ganime.run import Run


def test_the_generator_that_ships_is_described():
    facts = describe(None, 128)
    assert (facts["name"], facts["recipe"], facts["license"]) == ("anime-face-64", "large", "MIT")
    assert facts["sha256"] == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert all(isinstance(fact, str) for fact in facts.values())


def test_a_run_says_its_recipe_and_other_files_do_not(tmp_path):
    run = Run(tmp_path / "mine")
    recipe, data = get_recipe("default").override("batch_size=64"), {"name": "faces", "pictures": 9, "fingerprint": "f00"}
    run.open({"recipe": asdict(recipe), "seed": 0, "data": data})
    build_generator(32, 8, (8, 8, 8)).save(run.generator_path)
    facts = describe(run.generator_path, 8, "CC0-1.0")
    assert (facts["name"], facts["recipe"], facts["license"]) == ("mine", "default with batch_size=64", "CC0-1.0")
    run.config_path.write_text(json.dumps({"recipe": "of a cake"}))
    assert "recipe" not in describe(run.generator_path, 8)


def test_what_was_shared_keeps_its_facts(tmp_path):
    path = tmp_path / "generator.keras"
    build_generator(32, 8, (8, 8, 8)).save(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    shared = {"name": "theirs", "license": "CC-BY-4.0", "sha256": digest}
    (tmp_path / "ganime.json").write_text(json.dumps({"facts": shared}))
    assert describe(path, 8).items() >= shared.items()
    (tmp_path / "ganime.json").write_text(json.dumps({"facts": {**shared, "sha256": "of another"}}))
    assert describe(path, 8)["license"] == "not stated"
    (tmp_path / "ganime.json").write_text(json.dumps({"facts": {**shared, "license": "\x1b[31m" + 9999 * "x"}}))
    assert describe(path, 8)["license"].startswith(r"\x1b[31mxxx") and len(describe(path, 8)["license"]) < 300
    for content in ("[" * 99_999, "[1]", '"x"', "\xff"):
        for name in ("ganime.json", "config.json"):
            (tmp_path / name).write_text(content, encoding="latin-1")
            assert describe(path, 8)["license"] == "not stated"
