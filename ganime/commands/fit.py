"""The command that trains."""

import math
import shlex
import signal
import subprocess
import sys
from contextlib import closing, suppress
from importlib.util import find_spec

import click

from ganime.commands.evaluate import hold_out, only_training, warn_of_seen
from ganime.commands.process import INTERRUPTED, leave, on_signals
from ganime.commands.tools import STEPS, echo, program, quiet_start
from ganime.data.names import show
from ganime.errors import InputError, missing, one_line

LARGE = "a GPU has time for --recipe large, whose faces are better (KID-lite0 0.033 instead of 0.07)"


@click.command()
@click.option(
    "--data",
    multiple=True,
    metavar="PICTURES",
    help="A folder, zip, tar, parquet or npz file of pictures, a file from `data pack`, or a name from `data list`; "
    "repeatable. Without it, ganime draws faces itself.",
)
@click.option("--steps", default=20_000, show_default=True, type=STEPS, help="Step to reach.")
@click.option("--run", "run_name", metavar="NAME", help="Name of the run, or a path to it.  [default: DATA-RECIPE]")
@click.option("--recipe", "recipe_name", default="default", show_default=True, metavar="NAME", help="See `recipes`.")
@click.option("--set", "overrides", multiple=True, metavar="FIELD=VALUE", help="Change a field of the recipe; repeatable.")
@click.option(
    "--from",
    "start",
    metavar="RUN|FILE.keras|shipped",
    help="Start a new run from trained networks.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1), help="Seed of everything random.")
@click.option("--sample-every", default=100, show_default=True, type=STEPS, help="Steps between sample grids.")
@click.option("--save-every", default=500, show_default=True, type=STEPS, help="Steps between saved states.")
@click.option("--evaluate-every", type=STEPS, metavar="STEPS", help="Hold a tenth of the pictures out and score with them.")
@click.option("--changed-data", is_flag=True, help="Go on with other pictures than before; config.json records it.")
@click.option("--strict", is_flag=True, help="Stop at an unreadable picture instead of passing over it.")
@click.option("--tensorboard", is_flag=True, help="Also write logs for TensorBoard into the run.")
@click.option(
    "--precision",
    default="float32",
    show_default=True,
    type=click.Choice(["float32", "bfloat16", "float16"]),
    help="Of the networks' inner layers.",
)
@click.option("--jit/--no-jit", default=None, help="Compile the training step with XLA (one device).  [default: on a GPU]")
@click.option(
    "--steps-per-execution",
    type=click.IntRange(1, 512),
    help="Steps at a stretch, at most.  [default: as many as take half a second]",
)
@click.option(
    "--keep-pictures",
    type=click.Choice(["device", "memory", "disk"]),
    help="Where pictures stay once decoded.  [default: the first that they fill by less than a quarter]",
)
@click.option("--distribute", type=click.Choice(["mirrored", "multiworker"]), help="Share each batch among devices or hosts.")
@click.option("--sync-batch-norm", is_flag=True, help="With --distribute: batch normalization over the whole batch.")
def fit(
    data,
    steps,
    run_name,
    recipe_name,
    overrides,
    start,
    seed,
    sample_every,
    save_every,
    evaluate_every,
    changed_data,
    strict,
    tensorboard,
    **engine_options,
):
    """Train, or continue a training.

    Everything goes to checkpoints/<run>/: sample grids, progress.gif, history.csv, plots, generator.keras and the state to
    continue from. The same command continues a run, a larger --steps extends it, Ctrl-C saves and leaves.
    Several --data are trained on as one set. How it is computed (--precision, --jit and so on) is chosen for this computer.

    With --evaluate-every (1000 costs 8 % of the time on two cores) a tenth of the pictures, chosen by their content, is not
    trained on; the averaged generator is scored with them as `evaluate --part test --samples 1000` does, and the best one is
    kept as best.keras.

    With --from a new run starts from trained networks: a run's, of its last state; a file's, a whole GAN or a generator with
    NAME.discriminator.keras beside it; or those that ship with ganime. The recipe's fields that say what the networks are come
    from there, all others are set as usual.

    \b
    Examples:
      python cli.py fit --data faces --steps 20000
      python cli.py fit --data faces --evaluate-every 1000 --run scored
      python cli.py fit --data faces --data more --run scored --changed-data
      python cli.py fit --data mine --from faces-default --steps 4000
      python cli.py fit --steps 2000                  (on faces that ganime draws)
      python cli.py fit --recipe zero-to-gans --set batch_size=64 --run smaller-batch
      python cli.py fit --data faces.npy --precision bfloat16 --no-jit --keep-pictures disk
      python cli.py fit --data faces --distribute multiworker   (on each host; docs/scaling.md)
    """
    from ganime.data.drawn import DrawnFaces
    from ganime.data.joined import as_pictures
    from ganime.recipes import get_recipe
    from ganime.run import Run
    from ganime.training.compiled import find_gpus, keep_compiled, seal_compiled

    if strict and not data:
        raise InputError("--strict is for pictures from --data")
    if evaluate_every and evaluate_every > steps:
        raise InputError(f"--evaluate-every {evaluate_every} is never reached in {steps} --steps")
    recipe = get_recipe(recipe_name)
    pictures = as_pictures(data, strict) if data else DrawnFaces()
    run = Run(run_name if run_name is not None else f"{pictures.name}-{recipe_name}")
    if not (start or run.config_path.exists()):
        recipe.override(*overrides)  # a mistake is told at once, not after TensorFlow's start
    if tensorboard and find_spec("tensorboard") is None:
        raise missing("tensorboard")

    compiled = keep_compiled(find_gpus())
    with quiet_start():
        from ganime.training.callbacks import TensorBoard
        from ganime.training.distribution import is_chief
        from ganime.training.engine import complete
        from ganime.training.fit import fit as train
        from ganime.training.hardware import find_hardware
        from ganime.training.loading import open_start
        from ganime.training.progress import TerminalProgress

    engine = _make_engine(**engine_options)  # several workers must meet before anything is computed
    start = open_start(start, run)
    recipe = start.adopt(recipe, *overrides) if start else recipe.override(*overrides)
    chief = is_chief(engine.strategy)
    if not data and chief:
        echo("No --data given: training on faces that ganime draws itself.")
    extra, scores = [], {}
    if evaluate_every and not chief:
        pictures = only_training(pictures, recipe.image_size)
    elif evaluate_every:
        pictures, evaluation = hold_out(pictures, recipe.image_size, evaluate_every, run)
        extra.append(evaluation)
        if changed_data:
            warn_of_seen(run, pictures)
        if start and start.run:
            warn_of_seen(start.run, pictures)
        scores = {"scores": f"each {evaluate_every:,} steps, on {len(evaluation.pictures):,} other pictures"}
    if tensorboard:  # after the evaluation, to see what it adds to the logs
        extra.append(TensorBoard(run.path / "tensorboard", update_freq=math.gcd(100, evaluate_every or 0)))
    engine, on_gpu = complete(engine, recipe, len(pictures), steps), bool(find_hardware(gpu_memory=False).gpus)
    title = {
        "recipe": " ".join([recipe_name, *overrides]),
        **({"from": start} if start else {}),
        "data": str(pictures),
        "pictures": f"{recipe.image_size}x{recipe.image_size}, {recipe.batch_size} per step",
        "steps": f"{steps:,} ({steps * recipe.batch_size / len(pictures):.1f} times through the data)",
        **scores,
        "engine": engine,
        **({"advice": LARGE} if on_gpu and recipe_name == "default" and not overrides and not start else {}),
        "run": f"{show(run.path)}: a grid each {sample_every:,} steps, the state each {save_every:,}",
    }
    progress = TerminalProgress(title, steps, recipe.batch_size)
    before = on_signals(lambda number, frame: _leave_unsaved(run, progress))
    try:
        with closing(progress):
            callbacks, intervals = (*extra, progress), (sample_every, save_every)
            gan = train(run, recipe, pictures, steps, seed, *intervals, callbacks, engine, 0, changed_data, start)
    except KeyboardInterrupt as interrupt:
        echo(f"{interrupt} Continue with: {_this_command()}", err=True)
        click.get_current_context().exit(INTERRUPTED)
    finally:
        on_signals(before)
        if compiled:
            seal_compiled(compiled)
    if not chief:
        return
    if (reached := int(gan.step.numpy())) > steps:
        echo(f"Run {show(run.name)} is at step {reached:,} already; a larger --steps extends it.")
    if unreadable := len(pictures.unreadable):
        echo(f"{unreadable:,} unreadable files were passed over.")
    echo(f"Done. Look at {show(run.gif_path)} and {show(run.samples_path)}; {show(run.generator_path)} is ready to use.")


def _make_engine(distribute, jit, **options):
    """The engine, all workers present."""
    from ganime.training.distribution import find_workers, make_strategy
    from ganime.training.engine import Engine

    if not distribute:
        return Engine(jit_compile=jit, **options)
    if distribute == "multiworker":
        find_workers()
        echo("Waiting until all workers are there.")
    # TensorFlow waits for the others where Python handles no signal.
    before = on_signals(signal.SIG_DFL)
    try:
        with quiet_start():
            return Engine(jit_compile=jit, strategy=make_strategy(distribute), **options)
    finally:
        on_signals(before)


def _leave_unsaved(run, progress):
    """End at once: an interrupt within what HDF5 or TensorFlow does may end in a crash. A state is replaced whole or not."""
    with suppress(Exception):
        progress.close()  # the terminal gets its cursor back
    state = "the last saved state stays" if run.state_path.exists() or run.previous_path.exists() else "nothing was saved yet"
    leave(f"Not saved; {state}. Continue with: {one_line(_this_command(), longest=None)}")


def _this_command():
    started = {"ganime": ["ganime"], "python -m ganime": [sys.executable, "-m", "ganime"]}
    join = subprocess.list2cmdline if sys.platform == "win32" else shlex.join  # PowerShell calls nothing that is in quotes
    return join([*started.get(program(), [sys.executable, sys.argv[0]]), *sys.argv[1:]])
