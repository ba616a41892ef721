"""A run's generator as a folder that others can use: card, pictures, model files, web page."""

import shutil
from pathlib import Path

import numpy as np

from ganime.errors import GanimeError, InputError
from ganime.exporting.card import FACES, Subject, model_card, page_card
from ganime.exporting.export import export, read_generator
from ganime.exporting.facts import describe
from ganime.exporting.manifest import EDITS, GENERATOR, JUDGE, check_replaceable, write_manifest
from ganime.files import atomic_folder, hash_file
from ganime.generation.conditions import make_latents
from ganime.generation.edits import Edits, edits_path
from ganime.generation.sampling import find_generator, load_for, paint
from ganime.generation.selection import Judge, judge_path
from ganime.generation.walks import walk
from ganime.labels import labels_of
from ganime.pictures.animation import save_frames
from ganime.pictures.grids import add_names, enlarge, make_grid, save_picture
from ganime.run import Run

SIDE = 1024  # pixels of the grid, about
STOPS, STEPS, FPS = 6, 12, 12  # of the walk: a second from face to face
WALK_SIDE = 128  # pixels, at least


def share(run: Run, output: Path, license_name: str | None = None, hub_name: str | None = None) -> list[str]:
    """Write a folder with all that others need to see and use a run's generator, whole or not at all.

    In it are `README.md` (the card), `generator.keras`, `generator.onnx`, its edits if they were found, its judge if there is
    one, `grid.png`, `walk.gif`, `page/` (a static web page), and `ganime.json` with the run's configuration and the hash of
    every file. The model hub takes it as it is, and `page/` as a static space.

    Args:
        run: Its `generator.keras` is shared, the one that `generate` and `evaluate` use.
        output: Where to; a folder that was written before is replaced.
        license_name: Of the generator, as SPDX has it.
        hub_name: USER/NAME on the hub, for the card.

    Returns:
        Notes for the user on what is not in the folder.

    Raises:
        InputError: If there is no such run or generator, or the folder holds anything else.
        GanimeError: If the generator cannot be exported, a runtime is missing, or the run was trained on meanwhile.
    """
    config = run.read_config()
    path = find_generator(run.generator_path)
    replaceable = check_replaceable(output)
    chain, notes = read_generator(path), []
    with atomic_folder(output, replaceable) as part:
        shutil.copyfile(path, part / GENERATOR)
        edits = _copy_beside("edits", Edits, path, edits_path(path), part / EDITS, notes)
        judge = _copy_beside("judge", Judge, path, judge_path(path), part / JUDGE, notes)
        facts = describe(path, chain.latent_size, license_name, chain.labels)
        names = tuple(edits.names) if edits else ()
        subject = Subject(run, chain, facts, license_name, names, hub_name, judge=judge is not None)
        (part / "README.md").write_text(model_card(subject), encoding="utf-8")
        _draw(part)
        export(path, "onnx", part / "generator.onnx", license_name=license_name)
        export(path, "web", part / "page", license_name=license_name)
        (part / "page" / "README.md").write_text(page_card(subject), encoding="utf-8")
        if hash_file(path) != facts["sha256"] or hash_file(part / GENERATOR) != facts["sha256"]:
            raise GanimeError(f"run {run.name} was trained on meanwhile; share it when `fit` has ended")
        write_manifest(part / "page", facts=facts)
        write_manifest(part, facts=facts, config=config)
    return notes


def _copy_beside(what, kind, path, beside, place, notes):
    """Copy a file that lies beside a generator, if it is its own; what is in it, or None."""
    try:
        found = kind.load(path)
    except InputError as error:
        notes.append(f"without {what}: {error}")
        return None
    shutil.copyfile(beside, place)
    return found


def _draw(folder):
    """The grid and the walk of the generator in a folder."""
    generator = load_for(FACES, folder / GENERATOR)
    width = generator.output_shape[2]
    columns = max(2, min(8, SIDE // width))
    latents, labels = make_latents(generator, range(min(FACES, columns**2))), labels_of(generator)[:columns]
    grid = make_grid(paint(generator, latents), columns)
    if labels:
        rows = np.concatenate([make_latents(generator, range(columns), labels=label) for label in labels])
        grid = add_names(make_grid(paint(generator, rows), columns), labels)
    save_picture(folder / "grid.png", grid)
    frames = enlarge([*walk(generator, latents[:STOPS], STEPS)], max(1, WALK_SIDE // width))
    save_frames(folder / "walk.gif", frames, len(frames), FPS)
