"""The command that trains."""

import math
import signal
from contextlib import closing, suppress
from importlib.util import find_spec

import click

from ganime.commands.evaluate import hold_out, only_training, warn_of_seen
from ganime.commands.plans import check_reached, planned_steps, settle_plan
from ganime.commands.process import INTERRUPTED, leave, on_signals
from ganime.commands.tools import STEPS, Number, echo, quiet_start, this_command
from ganime.data.names import show
from ganime.errors import InputError, missing, one_line

DEFAULT_RECIPE, DEFAULT_STEPS = "default", 20_000
FLATTERED = "; by the network whose features it learns from, which flatters it"
LARGE = "a GPU has time for --recipe large, whose faces are better (KID-lite0 0.033 instead of 0.07)"


@click.command()
@click.option(
    "--data",
    multiple=True,
    metavar="PICTURES",
    help="A folder, zip, tar, parquet or npz file of pictures, a file from `data pack`, or a name from `data list`; "
    "repeatable. Without it, ganime draws faces itself.",
)
@click.option(
    "--labels",
    metavar="folders|captions[:N]|FILE",
    help="Train on labels too: names of folders, frequent tags of caption files, or a .json or .csv file's.",
)
@click.option("--steps", type=STEPS, help="Step to reach.  [default: 20000]")
@click.option("--minutes", type=Number(0, 1e6, min_open=True), help="Instead: train so long, with networks that suit.")
@click.option(
    "--run",
    "run_name",
    metavar="NAME",
    help="Name of the run, or a path to it.  [default: DATA-RECIPE or DATA-MINUTES-minutes]",
)
@click.option("--recipe", "recipe_name", metavar="NAME", help="See `recipes`.  [default: default]")
@click.option("--set", "overrides", multiple=True, metavar="FIELD=VALUE", help="Change a field of the recipe; repeatable.")
@click.option(
    "--from",
    "start",
    metavar="RUN[@STEP]|FILE.keras|shipped",
    help="Start a new run from trained networks.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1), help="Seed of everything random.")
@click.option("--sample-every", default=100, show_default=True, type=STEPS, help="Steps between sample grids.")
@click.option("--save-every", default=500, show_default=True, type=STEPS, help="Steps between saved states.")
@click.option("--keep-every", type=STEPS, metavar="STEPS", help="Steps between states and generators that stay, as RUN@STEP.")
@click.option(
    "--keep-at-most",
    type=STEPS,
    metavar="COUNT",
    help="Where more would stay, every second one is dropped, the oldest first.  [default: 50, or as many as there are]",
)
@click.option("--evaluate-every", type=STEPS, metavar="STEPS", help="Hold a tenth of the pictures out and score with them.")
@click.option("--stop-when", metavar="ILLNESS,...", help="Save and stop at what `doctor` names, as in copying,plateau.")
@click.option("--changed-data", is_flag=True, help="Go on with other pictures than before; config.json records it.")
@click.option("--strict", is_flag=True, help="Stop at an unreadable picture instead of passing over it.")
@click.option("--tensorboard", is_flag=True, help="Also write logs for TensorBoard into the run.")
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16", "float16"]),
    help="Of the networks' inner layers.  [default: the run's; of a new one bfloat16 on a CPU with AMX, else float32]",
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
    labels,
    steps,
    minutes,
    run_name,
    recipe_name,
    overrides,
    start,
    seed,
    sample_every,
    save_every,
    keep_every,
    keep_at_most,
    evaluate_every,
    stop_when,
    changed_data,
    strict,
    tensorboard,
    **engine_options,
):
    """Train, or continue a training.

    Everything goes to checkpoints/<run>/: sample grids, progress.gif, history.csv, plots, generator.keras and the state to
    continue from. The same command continues a run, a larger --steps extends it, Ctrl-C saves and leaves.
    Several --data are trained on as one set. How it is computed (--precision, --jit and so on) is chosen for this computer.

    With --minutes the computer is measured for less than a minute; then the recipe is the one that makes the best faces of
    64x64 in this time (`default`, or after hours `large`), and the steps are those that fit into it. What to expect is told,
    for pictures such as those that it was measured with. config.json keeps the choice, and the same command continues the run
    without another; with --run NAME more --minutes or --steps extend it. With --recipe, --set or --from only the steps are
    chosen, and nothing is told.

    With --evaluate-every (1000 costs 8 % of the time on two cores) a tenth of the pictures, chosen by their content, is not
    trained on; the averaged generator is scored with them as `evaluate --part test --samples 1000` does, and the best one is
    kept as best.keras.

    With --keep-every the whole state and the generator of step 0 and of every so many steps stay in the run. All that reads a
    run takes RUN@STEP for one of these, and `gif --seeds` shows how faces come about.

    What goes wrong is said once, with what to try, as `doctor` says it. With --stop-when training ends at some of it: pictures
    (that are no faces), diverging, discriminator-wins, collapse, copying, plateau.

    With --labels a picture's label is the name of the folder that it is in; of the N (8) tags that most caption files have,
    which lie beside the pictures, its own rarest one; or what a file says: JSON as StyleGAN's dataset.json or
    {"face.png": "blonde", ...}, or CSV with the columns file,label. Then `generate --label NAME` draws faces of a label. With
    --set balance_labels=yes all labels are shown equally often.

    With --from a new run starts from trained networks: a run's, of its last state or of a step that it keeps; a file's, a
    whole GAN or a generator with NAME.discriminator.keras beside it; or those that ship with ganime. The recipe's fields that
    say what the networks are come from there; all others are, without --recipe, those of the recipe with such a generator.

    \b
    Examples:
      python cli.py fit --data faces --steps 20000
      python cli.py fit --data faces --minutes 20
      python cli.py fit --data faces --evaluate-every 1000 --run scored
      python cli.py fit --data faces --data more --run scored --changed-data
      python cli.py fit --data faces --keep-every 1000
      python cli.py fit --data faces --evaluate-every 1000 --stop-when copying,plateau
      python cli.py fit --data faces-by-hair --labels folders
      python cli.py fit --data mine --from faces-default --steps 4000
      python cli.py fit --data mine --from faces-default@12000 --run branch
      python cli.py fit --steps 2000                  (on faces that ganime draws)
      python cli.py fit --recipe zero-to-gans --set batch_size=64 --run smaller-batch
      python cli.py fit --data faces.npy --precision bfloat16 --no-jit --keep-pictures disk
      python cli.py fit --data faces --distribute multiworker   (on each host; docs/scaling.md)
    """
    from ganime.data.drawn import DrawnFaces
    from ganime.data.joined import as_pictures
    from ganime.data.labelled import label_pictures
    from ganime.illnesses import check_illnesses
    from ganime.recipes import get_recipe, name_recipe
    from ganime.run import Run
    from ganime.snapshots import MOST, check_trainable
    from ganime.training.compiled import find_gpus, keep_compiled, seal_compiled

    for option, given in (("--strict", strict), ("--labels", labels is not None)):
        if given and not data:
            raise InputError(f"{option} is for pictures from --data")
    if minutes is not None and steps is not None:
        raise InputError("give --steps or --minutes, not both")
    if keep_at_most and not keep_every:
        raise InputError("--keep-at-most is for --keep-every")
    steps = check_reached(steps or DEFAULT_STEPS, evaluate_every, keep_every) if minutes is None else None
    ills = [name.strip() for name in stop_when.split(",")] if stop_when is not None else []
    check_illnesses(ills, "--stop-when")
    recipe = get_recipe(recipe_name or DEFAULT_RECIPE)
    pictures = as_pictures(data, strict) if data else DrawnFaces()
    pictures = pictures if labels is None else label_pictures(pictures, labels)
    kind = recipe_name or (DEFAULT_RECIPE if minutes is None else f"{minutes:g}-minutes")
    run = Run(run_name if run_name is not None else f"{pictures.name}-{kind}")
    check_trainable(run)
    if minutes is not None and (planned := planned_steps(run, minutes)):
        check_reached(planned, evaluate_every, keep_every, minutes)  # at once, where it is known
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
    given = bool(recipe_name or overrides or start)
    start = open_start(start, run)
    recipe = start.adopt(recipe if recipe_name else None, *overrides) if start else recipe.override(*overrides)
    recipe, plan = settle_plan(run, minutes, recipe, given, engine)
    steps = check_reached(plan.steps, evaluate_every, keep_every, minutes) if plan else steps
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
        flattered = FLATTERED if recipe.feature_weight else ""
        scores = {"scores": f"each {evaluate_every:,} steps, on {len(evaluation.pictures):,} other pictures{flattered}"}
    if tensorboard:  # after the evaluation, to see what it adds to the logs
        extra.append(TensorBoard(run.path / "tensorboard", update_freq=math.gcd(100, evaluate_every or 0)))
    engine, on_gpu = complete(engine, recipe, len(pictures), steps, run), bool(find_hardware(gpu_memory=False).gpus)
    title = {
        "recipe": name_recipe(recipe),
        **({"from": start} if start else {}),
        "data": str(pictures),
        "pictures": f"{recipe.image_size}x{recipe.image_size}, {recipe.batch_size} per step",
        **({"plan": plan} if plan else {}),
        "steps": f"{steps:,} ({steps * recipe.batch_size / len(pictures):.1f} times through the data)",
        **scores,
        "engine": engine,
        **({"advice": LARGE} if on_gpu and not (given or plan) else {}),
        "run": f"{show(run.path)}: a grid each {sample_every:,} steps, the state each {save_every:,}",
        **({"kept": _describe_kept(keep_every, keep_at_most or MOST, steps)} if keep_every else {}),
    }
    progress = TerminalProgress(title, steps, recipe.batch_size)
    before = on_signals(lambda number, frame: _leave_unsaved(run, progress))
    try:
        with closing(progress):
            intervals, later = (sample_every, save_every), (keep_every, keep_at_most, ills, plan)
            options = *intervals, (*extra, progress), engine, 0, changed_data, start, *later
            gan = train(run, recipe, pictures, steps, seed, *options)
    except KeyboardInterrupt as interrupt:
        echo(f"{interrupt} Continue with: {this_command()}", err=True)
        click.get_current_context().exit(INTERRUPTED)
    finally:
        on_signals(before)
        if compiled:
            seal_compiled(compiled)
    if not chief:
        return
    if (reached := int(gan.step.numpy())) > steps:
        echo(f"Run {show(run.name)} is at step {reached:,} already; more --steps or --minutes extend it.")
    if unreadable := len(pictures.unreadable):
        echo(f"{unreadable:,} unreadable files were passed over.")
    if reached < steps:
        echo(f"Stopped at step {reached:,} by --stop-when {stop_when}, and saved. The same command without it goes on.")
    echo(f"Done. Look at {show(run.gif_path)} and {show(run.samples_path)}; {show(run.generator_path)} is ready to use.")


def _describe_kept(every, most, steps):
    """What --keep-every leaves in the run, in words."""
    from ganime.snapshots import spacing

    last = spacing(steps, every, most)
    thinned = "" if last == every else f", in the end each {last:,}: {most:,} at most"
    return f"step 0 and each {every:,} steps{thinned}"


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
    leave(f"Not saved; {state}. Continue with: {one_line(this_command(), longest=None)}")
