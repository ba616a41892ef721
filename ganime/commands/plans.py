"""What `fit` settles before it trains: recipe and steps."""

from ganime.commands.tools import echo
from ganime.data.names import show
from ganime.errors import InputError


def check_reached(steps, evaluate_every, keep_every, minutes=None):
    """The steps, of which some minutes may be the reason, if what is due at intervals fits into them."""
    for option, every in (("--evaluate-every", evaluate_every), ("--keep-every", keep_every)):
        if every and every > steps:
            reason, more = ("", "--steps") if minutes is None else (f", which fit into --minutes {minutes:g}", "--minutes")
            raise InputError(f"{option} {every} is never reached in {steps} steps{reason}; lower it, or give more {more}")
    return steps


def planned_steps(run, minutes):
    """The steps for some minutes of a run that keeps a plan; None if it does not."""
    from ganime.plan import Plan

    plan = run.config_path.exists() and run.read_config().get("plan")
    return Plan(**plan).extended(minutes).steps if plan else None


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
    echo("Measuring how fast this computer trains, for less than a minute.")
    planned = plan_training(minutes, recipe if given else None, engine)
    clear_session()  # the layers of what is built next are numbered as if nothing had been built
    return planned
