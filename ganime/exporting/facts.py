"""What an exported file says of itself."""

import contextlib
import json
import os
from collections.abc import Sequence

from ganime import __version__
from ganime.errors import one_line
from ganime.exporting.manifest import MANIFEST
from ganime.files import hash_file
from ganime.generation.sampling import SHIPPED, find_generator
from ganime.recipes import Recipe, name_recipe
from ganime.snapshots import owner

SEEDS = "the latent of a seed is numpy.random.RandomState(seed).standard_normal({size}) as float32"
WEIGHTS = ", and behind it a weight for each of {count} labels: 1 for the face's own, 0 for the others"
_FAULTS = OSError, ValueError, LookupError, TypeError, RecursionError  # of JSON that another program wrote
SHIPPED_FACTS = {"name": "anime-face-64", "recipe": "large", "license": "MIT"}


def describe(
    path: str | os.PathLike | None, latent_size: int, license_name: str | None = None, labels: Sequence[str] = ()
) -> dict[str, str]:
    """The facts of a generator that go into all files made of it.

    Args:
        path: Its `.keras` file; that which ships with ganime by default.
        latent_size: Length of its latents, with the weights of its labels.
        license_name: Under which it may be used, as SPDX has it; by default "not stated", but for the one that ships.
        labels: Names of its labels.

    Returns:
        `name`, `recipe` (where the file lies in a run, or was shared), `seeds` (which latent a seed has), `labels` (their names
        in JSON, if it has any), `license`, `ganime` (its version) and `sha256` of the `.keras` file.
    """
    path = find_generator(path)
    sha256 = hash_file(path)
    name = path.stem.encode("utf-8", "replace").decode()
    facts = {"name": name, "license": "not stated"} | _read_facts(path, sha256)
    facts |= {"license": license_name} if license_name else {}
    facts |= {"seeds": SEEDS.format(size=latent_size - len(labels)) + WEIGHTS.format(count=len(labels)) * bool(labels)}
    facts |= {"labels": json.dumps([*labels], ensure_ascii=False)} if labels else {}
    return facts | {"ganime": __version__, "sha256": sha256}


def _read_facts(path, sha256):
    """What is known of a generator: by ganime, by its run's configuration or by what `share` wrote beside it."""
    if path.resolve() == SHIPPED.resolve():
        return SHIPPED_FACTS
    with contextlib.suppress(*_FAULTS):  # there is no such file, or it is another program's
        folder, step = owner(path)
        recipe = name_recipe(Recipe(**json.loads((folder / "config.json").read_text())["recipe"]))
        return {"name": f"{folder.resolve().name}{step}", "recipe": recipe}
    with contextlib.suppress(*_FAULTS):
        facts = json.loads((path.parent / MANIFEST).read_text())["facts"]
        if facts["sha256"] == sha256:
            return {name: one_line(str(facts[name]), 200) for name in ("name", "recipe", "license") if name in facts}
    return {}
