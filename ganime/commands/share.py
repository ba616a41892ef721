"""The command that makes a run's generator ready for others."""

from pathlib import Path

import click

from ganime.commands.outputs import check_place
from ganime.commands.tools import echo, quiet_start
from ganime.data.names import show


@click.command()
@click.argument("run_name", metavar="RUN[@STEP]")
@click.option("--output", required=True, type=click.Path(path_type=Path), metavar="FOLDER", help="Where to write it.")
@click.option("--license", "license_name", metavar="SPDX", help="Of the generator, as in CC-BY-4.0.")
@click.option("--push", "hub_name", metavar="USER/NAME", help="Also push it to the model hub, under this name.")
def share(run_name, output, license_name, hub_name):
    """Write a folder with what others need to see and use a run's generator, and push it if you like.

    It holds a model card, the generator (that of `generate --run`, not best.keras) as Keras' file and as ONNX, its edits if
    `edits` has found them, its judge if `generate --best` has made one, a grid, a walk, and a web page in which the visitor's
    browser draws the faces; and no picture that it was trained on. A folder that this command wrote is replaced.

    The model hub takes the folder as it is, and its page/ as a static space. --push makes both there, public unless your
    account is set otherwise; it needs `pip install "huggingface_hub>=1"` and a token (`hf auth login`, or HF_TOKEN). Then all
    commands that take --model take hf://USER/NAME, or hf://USER/NAME@REVISION.

    \b
    Examples:
      python cli.py share faces-default --output shared --license CC-BY-4.0
      python cli.py share faces-default --output shared --license MIT --push USER/faces
      python cli.py walk --model hf://USER/faces
    """
    from ganime.exporting.card import check_license
    from ganime.exporting.hub import check_push, push
    from ganime.snapshots import open_run

    check_place("--output", output, folder=True)
    if license_name is not None:
        check_license(license_name)
    run = open_run(run_name)
    run.read_config()
    if hub_name is not None:
        check_push(hub_name)
    with quiet_start():
        from ganime.exporting.share import share as write

        notes = write(run, output, license_name, hub_name)
    for note in notes:
        echo(note)
    files = [path for path in output.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    about = f"{len(files)} files of {show(run.generator_path)}, {size / 1e6:.1f} MB"
    echo(f"{show(output)}: {about}; look at {show(output / 'README.md')}")
    if hub_name is not None:
        for address in push(output, hub_name):
            echo(f"pushed to {address}")
