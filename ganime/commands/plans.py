"""What `fit` settles before it trains: recipe and steps."""

from ganime.commands.tools import echo
from ganime.data.names import show
from ganime.errors import InputError


def check_reached(steps, evaluate_every, keep_every):
    """The steps, which what is due at intervals is to fit into."""
    for option, every in (("--evaluate-every", evaluate_every), ("--keep-every", keep_every)):
        if every and every > steps:
            raise InputError(f"{option} {every} is never reached in {steps} steps")
    return steps


def settle_plan(run, minutes, recipe, given, engine):
    """The recipe and, for some minutes, the plan. The recipe stays where it is given; else it is the one that was planned."""
    from keras.backend import clear_session

    from ganime.training.loading import read_before
    from ganime.training.planning import plan_training, resume_plan

    config = read_before(run)
    if known := resume_plan(config):
        planned, plan = known
        return recipe if given else planned, minutes and plan.extended(minutes)
    if minutes is None:
        return recipe, None
    if config:
        raise InputError(f"run {show(run.name)} was started with --steps: go on so, or use --run with a new name")
    echo("Measuring how fast this computer trains, for some ten seconds.")
    planned = plan_training(minutes, recipe if given else None, engine)
    clear_session()  # the layers of what is built next are numbered as if nothing had been built
    return planned
