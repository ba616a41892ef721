"""The texts of a shared folder: the model's card and the page's, as the model hub reads them."""

import json
import re
from dataclasses import dataclass, fields
from pathlib import Path

from ganime.data.drawn import DrawnFaces
from ganime.data.names import show
from ganime.errors import GanimeError, InputError, one_line
from ganime.exporting.manifest import EDITS, GENERATOR, JUDGE, MANIFEST
from ganime.generation.chain import Chain
from ganime.recipes import Recipe
from ganime.run import Run, describe_origin

FACES = 64  # of the grid, at most
# Licenses that the hub knows by their SPDX names, in lower case. Others it calls "other", and has `license_name` for them.
_ON_HUB = re.compile(
    r"mit|isc|zlib|unlicense|wtfpl|apache-2\.0|bsd-[23]-clause|cc0-1\.0|cc-by(-nc)?(-sa|-nd)?-4\.0|a?gpl-3\.0|gpl-2\.0|"
    r"lgpl-(2\.1|3\.0)|mpl-2\.0|epl-2\.0|eupl-1\.2"
)
_LIMITS = f"""The grid shows the faces of the first seeds as they are, the good and the bad. A generator of this kind draws
well what is frequent in its pictures, and leaves out what is rare. It may come near to single pictures that it was trained on:
`python cli.py evaluate {GENERATOR} --data FOLDER --nearest nearest.png` shows the likeliest cases. It is the run's last
generator, which need not be the one with the best score."""


@dataclass(frozen=True)
class Subject:
    """What the card is about.

    Attributes:
        run: Where the generator comes from.
        chain: Its layers.
        facts: From `ganime.exporting.facts.describe`.
        license_name: As SPDX has it; None if none is given.
        edits: Names of its edits; none if it has none.
        hub_name: USER/NAME on the hub; None if it is not pushed.
        judge: Whether it has a judge.
    """

    run: Run
    chain: Chain
    facts: dict[str, str]
    license_name: str | None = None
    edits: tuple[str, ...] = ()
    hub_name: str | None = None
    judge: bool = False


def check_license(name: str) -> None:
    """See that a license's name is of the form that SPDX gives them.

    Raises:
        InputError: If not.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}", name):
        raise InputError(f"--license {name!r} is not a name as SPDX has it, such as MIT or CC-BY-4.0")


def model_card(subject: Subject) -> str:
    """The model's `README.md`: what was recorded of the run, and what its generator was measured to do; nothing else.

    Raises:
        InputError: If the run's records are damaged.
        GanimeError: If its state is not there, which says at what step the generator was saved.
    """
    config = subject.run.read_config()
    try:
        recipe = Recipe(**config["recipe"])
        parts = [
            _front_matter(
                **_license(subject.license_name),
                library_name="keras",
                pipeline_tag="unconditional-image-generation",
                tags=["ganime", "gan", "dcgan", "anime"],
            ),
            _introduce(subject),
            _tabulate(("", ""), _facts(subject, config, recipe).items()),
            *("## Recipe", _describe_recipe(subject, config, recipe)),
            *("## Scores", _describe_scores(subject)),
            *("## Use", _describe_use(subject)),
            *("## What to expect", _LIMITS),
        ]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        what = f"what run {show(subject.run.name)} has recorded is damaged"
        raise InputError(f"{what}: {type(error).__name__} {one_line(str(error), 200)}") from error
    return "\n\n".join(parts) + "\n"


def page_card(subject: Subject) -> str:
    """The page's `README.md`, which makes a static space of its folder."""
    name, (height, width, _) = _plain(subject.facts["name"]), subject.chain.image_shape
    matter = _front_matter(
        title=name,
        emoji="\N{ARTIST PALETTE}",
        colorFrom="pink",
        colorTo="indigo",
        sdk="static",
        app_file="index.html",
        pinned=False,
        **_license(subject.license_name),
        models=[subject.hub_name] if subject.hub_name else [],
        tags=["ganime"],
    )
    return f"{matter}\n\nYour browser draws the {width}x{height} faces of the generator {name}. Nothing is sent anywhere.\n"


def _front_matter(**entries):
    """YAML, of which JSON's values are a part."""
    lines = (f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entries.items() if value != [])
    return "\n".join(["---", *lines, "---"])


def _license(name):
    if name is None:
        return {}
    if _ON_HUB.fullmatch(name.lower()):
        return {"license": name.lower()}
    return {"license": "other", "license_name": name.lower()}


def _introduce(subject):
    height, width, _ = subject.chain.image_shape
    return f"""# {_plain(subject.facts["name"])}

A generator that draws faces of {width}x{height} pixels, trained with ganime: a generative adversarial network in Keras.

![Faces of the first seeds, not selected](grid.png)

![A walk through the faces of the first seeds](walk.gif)"""


def _facts(subject, config, recipe):
    height, width, _ = subject.chain.image_shape
    data, before, versions, steps = config["data"], config.get("data_before", ()), config["versions"], _read_step(subject.run)
    averaged = f"averaged, half-life {recipe.ema_half_life:,} pictures" if recipe.ema_half_life else "not averaged"
    numbers = sum(layer.kernel.size + layer.bias.size for layer in subject.chain.layers)
    return {
        "input": _describe_input(subject.chain),
        "output": f"`images`, float32 [batch, {height}, {width}, 3] in [-1, 1], RGB",
        "seeds": subject.facts["seeds"],
        **({"labels": ", ".join(map(_plain, subject.chain.labels))} if subject.chain.labels else {}),
        "generator": f"`{GENERATOR}`, {averaged}; {numbers:,} numbers, with the normalization folded into the convolutions",
        "training": f"{steps:,} steps of {recipe.batch_size}, so {steps * recipe.batch_size:,} pictures; seed {config['seed']}"
        + (f"; in {config['precision']}" if "precision" in config else "")
        + (f"; started from {_plain(describe_origin(config['from']))}" if config.get("from") else ""),
        "data": "; ".join((_describe_data(data), *(f"until step {old['step']:,} {_describe_data(old)}" for old in before))),
        "rights": _describe_rights(subject.license_name, config),
        "made with": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }


def _describe_input(chain):
    weights = f"; the last {len(chain.labels)} are the labels' weights" * bool(chain.labels)
    return f"`latents`, float32 [batch, {chain.latent_size}], standard normal{weights}"


def _describe_data(data):
    return f"{_plain(data['name'])}: {data['pictures']:,} pictures, fingerprint `{_plain(data['fingerprint'])}`"


def _describe_rights(license_name, config):
    pictures = "the pictures' rights stay with their artists, and none of them is here"
    if _is_drawn(config):
        pictures = "ganime drew the pictures itself"
    if license_name is None:
        return f"{pictures}; no license of the generator is stated: ask whoever shares it"
    return f"{pictures}; the generator may be used under {license_name}, as far as whoever shares it has rights in it"


def _describe_recipe(subject, config, recipe):
    name, _, changes = subject.facts["recipe"].partition(" with ")
    scored = _read_scores(subject.run)[1]
    command = ["python cli.py fit", *([] if _is_drawn(config) else ["--data FOLDER"]), f"--recipe {name}"]
    command += ["--labels LABELS"] if recipe.labels else []
    command += [f"--set {change}" for change in changes.split()]
    command += [f"--steps {_read_step(subject.run)}", f"--seed {config['seed']}"]
    command += [f"--evaluate-every {scored}"] if scored else []
    command += [f"--precision {config['precision']}"] if "precision" in config else []
    command += [f"--from {_plain(config['from']['name'])}"] if config.get("from") else []
    values = ((field, getattr(recipe, field.name)) for field in fields(Recipe) if field.name != "labels")
    rows = [(f"`{field.name}`", _show(value), field.metadata["doc"]) for field, value in values if value != field.default]
    return f"""```sh
{" ".join(command)}
```

What differs from a plain DCGAN (Radford et al. 2016); `{MANIFEST}` has all settings:

{_tabulate(("field", "value", "meaning"), rows)}"""


def _describe_scores(subject):
    from ganime.metrics.evaluation import describe_scores

    parts = []
    for result in _read_evaluations(subject.run.evaluations_path, subject.facts["sha256"]):
        real = result["real"]
        about = (
            f"{result['samples']:,} faces, from seed {result['seed']} on, against {real['pictures']:,} real pictures "
            f"({_plain(real['name'])}, part {real['part']}) at {result['size']}x{result['size']}, by {result['network']}:"
        )
        parts += [about, _tabulate(("score", "value"), describe_scores(result["scores"]).items())]
    scores, _ = _read_scores(subject.run)
    if scores:
        about = f"While it was trained, after {int(scores.pop('step')):,} steps, against pictures that were held out:"
        parts += [about, _tabulate(("score", "value"), describe_scores(scores).items())]
    return "\n\n".join(parts) or "Not measured."


def _describe_use(subject):
    address = f"hf://{subject.hub_name}" if subject.hub_name else GENERATOR
    beside = ""
    if subject.edits:
        beside += f"\n`{EDITS}` holds edits for `--edit NAME=STRENGTH`: {', '.join(subject.edits)}.\n"
    if subject.judge:
        use = "`--best COUNT` keeps the faces that look most real to it, `--refine` makes broken ones whole"
        beside += f"\n`{JUDGE}` is its judge: {use}.\n"
    labels = subject.chain.labels
    size = subject.chain.latent_size - len(labels)
    latents = f"np.float32([np.random.RandomState(seed).standard_normal({size}) for seed in range(4)])"
    if labels:
        latents += f"\nlabel = 0  # {_plain(labels[0])}; the others follow in the order of the table"
        latents += f"\nlatents = np.concatenate([latents, np.eye({len(labels)}, dtype=np.float32)[[label] * 4]], axis=1)"
    return f"""In a checkout of ganime:

```sh
python cli.py generate --model {address}
```
{beside}
With Keras alone:

```python
import keras
import numpy as np

generator = keras.models.load_model("{GENERATOR}", compile=False)
latents = {latents}
images = np.asarray(generator(latents, training=False))
pictures = np.uint8(np.rint((np.clip(images, -1, 1) + 1) * 127.5))
```

With ONNX Runtime:

```python
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("generator.onnx")
latents = {latents}
(images,) = session.run(["images"], {{"latents": latents}})
```

`page/` is a web page in which the visitor's browser draws the faces; any server of files will do for it."""


def _read_step(run):
    """The step of the saved generator: that of the state, which is saved with it."""
    import h5py

    try:
        with h5py.File(run.state_path) as state:
            return int(state["vars/0"][()])
    except (OSError, KeyError) as error:
        raise GanimeError(f"{run.state_path} cannot be read; `fit` saves it with the generator") from error


def _read_scores(run):
    """The last scores of the run's history, and after how many steps the first came; nothing where there are none."""
    rows = run.summary().scores
    rows = [row for row in rows if row["step"] <= _read_step(run)] if rows else []
    return (rows[-1], rows[0]["step"]) if rows else ({}, 0)


def _read_evaluations(path: Path, sha256):
    """The last evaluation of this very generator by each network, without truncation."""
    if not path.exists():
        return []
    results = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    ours = [result for result in results if (result["model_sha256"], result["truncation"]) == (sha256, 1)]
    return {result["network"]: result for result in ours}.values()


def _tabulate(heads, rows):
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, ["---"] * len(heads), *rows])


def _is_drawn(config):
    sets = (config["data"], *config.get("data_before", ()))
    return all(data["fingerprint"].startswith(DrawnFaces().fingerprint) for data in sets)


def _show(value):
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _plain(text):
    """A name from outside as nothing but text, also to Markdown."""
    return re.sub(r"[^\w .,:+-]", "_", str(text))
