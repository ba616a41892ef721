"""What can be wrong with a training, as functions of what it has recorded (no TensorFlow).

The numbers were chosen by looking at runs that were made ill on purpose, and judged by others; docs/doctor.md has how well they
tell them (`benchmarks.doctor`).
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import itemgetter
from statistics import median

import numpy as np

from ganime.errors import InputError
from ganime.pictures.looks import difference, in_common, ruled, variety
from ganime.recipes import Recipe

RECENT = 500  # steps, the last ones, whose losses are looked at
JUDGED = 32  # pictures that are enough to judge all by
ALIKE = 0.12  # how much two pictures differ
RULED = 0.25  # share of the pictures that have the edges of a sheet
COMMON = 0.15  # share of the pictures' variance that is the same in all
LARGE_STEPS, LARGE = 50, 100.0  # so many steps with losses so large
STEADY = 300  # steps that a discriminator wins
TOLD_RIGHT, GAP = 0.98, 0.8  # the share that it tells right, and how far real pictures' mean score is above generated ones'
WORSE_SCORES, WORSE = 2, 1.1  # so many scores that are so many times as bad as the best
GROWN = 300  # steps after which faces should differ
ONE_FACE = 0.35  # their variety, in that of the pictures
LEAST_PICTURES = 8
COPY, COPIES = 0.6, 0.05  # how near a copy is, in the distance of pictures from their nearest; how many of the faces are copies
AUTHENTIC = 0.5
PLATEAU_SCORES, GAIN = 10, 0.97  # so many scores, and what of a distance is still no gain
MANY = 1000  # pictures, of which too few are known to find copies of them
EVALUATE = "`evaluate RUN --data PICTURES` looks among all"
MORE = "more pictures: the same command with another --data beside the first, and --changed-data"


@dataclass(frozen=True)
class Finding:
    """What is wrong with a training.

    Attributes:
        name: Of the illness, one of `ILLNESSES`, as `fit --stop-when` takes it.
        evidence: What it is told by, in numbers.
        remedy: The one thing to try first.
    """

    name: str
    evidence: str
    remedy: str

    def __str__(self):
        return f"{self.name}: {self.evidence}. Try: {self.remedy}"


@dataclass
class Record:
    """What is known of a training.

    Attributes:
        step: The last one.
        recipe: How it is trained.
        trained_on: How many pictures there are to train on.
        recent: Columns of the history, float64, of the last `RECENT` steps at most.
        scores: Rows of the scores while training, with their `step`, in its order.
        evaluations: Lines of `evaluate`, the last one last.
        pictures: Some of those that are trained on, uint8 [count, size, size, 3]; None where they are not known.
        faces: The newest grid's, uint8 [count, size, size, 3]; None where there is none.
        faces_step: Its step.
    """

    step: int
    recipe: Recipe
    trained_on: int
    recent: dict[str, np.ndarray] = field(default_factory=dict)
    scores: list[dict[str, float]] = field(default_factory=list)
    evaluations: list[dict] = field(default_factory=list)
    pictures: np.ndarray | None = None
    faces: np.ndarray | None = None
    faces_step: int = 0


def check_illnesses(names: Sequence[str], what: str = "stop_when") -> None:
    """See that these are names of illnesses.

    Args:
        names: The names.
        what: What they are for, as an error calls it.

    Raises:
        InputError: If one is not.
    """
    for name in [names] if isinstance(names, str) else names:
        if name not in ILLNESSES or name is names:
            raise InputError(f"{what}: {name!r} is not of the list of illnesses, which are {', '.join(ILLNESSES)}")


def examine(record: Record, names: Iterable[str] | None = None) -> Iterator[Finding]:
    """What is found wrong, in the order in which it is to be mended; at most one of each name.

    Args:
        record: What is known of the training.
        names: Which illnesses to look for; all by default.
    """
    for name, find in ILLNESSES.items():
        if (names is None or name in names) and (found := find(record)):
            yield Finding(name, *found)


def unseen(record: Record) -> Iterator[str]:
    """What could not be looked at, and why."""
    if len(record.scores) < PLATEAU_SCORES:
        few = f"{len(record.scores)} scores are too few" if record.scores else "there are no scores"
        yield f"plateau, and collapse by scores: {few}; `fit --evaluate-every` makes them ({PLATEAU_SCORES} are enough)"
    if len(record.recent.get("step", ())) < STEADY:
        yield f"a discriminator that wins: {STEADY} steps are needed"
    if record.pictures is None or len(record.pictures) < JUDGED:
        yield f"whether the pictures are faces: {JUDGED} are needed, which `fit` leaves in training-pictures.png"
    if record.faces is None or record.pictures is None:
        yield "copying and collapse by the faces: there is no sample grid, or no training-pictures.png"
    elif record.trained_on > MANY:
        known = f"{len(record.pictures)} of {record.trained_on:,} training pictures"
        yield f"copying by the faces: only {known} are known; {EVALUATE}"


def _pictures(record):
    if record.pictures is None or len(record.pictures) < JUDGED:
        return None
    seen = f"of {len(record.pictures)} pictures that are trained on"
    if (apart := variety(record.pictures)) < ALIKE:
        evidence = f"{seen}, two differ by {apart:.2f} of full scale (faces by 0.2 to 0.3): they are nearly the same"
        return evidence, "`data check`, which finds copies, and a set with other pictures"
    if (share := ruled(record.pictures)) > RULED:
        evidence = (
            f"{seen}, {share:.0%} have edges right across at halves, thirds, quarters or fifths, as sheets of pictures do"
        )
        return evidence, "`data prepare`, which cuts the faces out of larger pictures"
    if (share := in_common(record.pictures)) < COMMON:
        evidence = f"{seen}, {share:.0%} of what is seen is where it is in the others (of faces 19 % and more)"
        return evidence, "`data prepare`, which cuts the faces out of larger pictures"
    return None


def _diverging(record):
    if len(record.recent.get("step", ())) < LARGE_STEPS:
        return None
    sizes = {name: float(np.median(np.abs(record.recent[name][-LARGE_STEPS:]))) for name in ("d_loss", "g_loss")}
    if max(sizes.values()) < LARGE:
        return None
    said = " and ".join(f"{name} {size:,.4g}" for name, size in sizes.items())
    evidence = f"the median of {LARGE_STEPS} steps is {said}, which is below 10 in a sound run; infinity may come next"
    rates = record.recipe.g_learning_rate / 10, record.recipe.d_learning_rate / 10
    return evidence, "a new --run with --set g_learning_rate={:g} --set d_learning_rate={:g}".format(*rates)


def _discriminator_wins(record):
    recent = record.recent
    if len(recent.get("step", ())) < STEADY or "d_accuracy" not in recent:
        return None
    right, gap = recent["d_accuracy"][-STEADY:].mean(), (recent["real_score"] - recent["fake_score"])[-STEADY:].mean()
    if right < TOLD_RIGHT or gap < GAP:
        return None
    loss = record.recent["g_loss"][-STEADY:].mean()
    evidence = f"in the last {STEADY} steps it told {right:.1%} of the pictures right, and the generator's loss was {loss:.3g}"
    rate = min(record.recipe.g_learning_rate, record.recipe.d_learning_rate / 2)
    return evidence, f"a new --run with --set d_learning_rate={rate:g}"


def _collapse(record):
    found = _collapse_by_scores(record) or _collapse_by_faces(record)
    if not found:
        return None
    recipe = record.recipe
    change = f"g_learning_rate={recipe.g_learning_rate / 2:g}" if recipe.minibatch_deviation else "minibatch_deviation=4"
    return found, f"a new --run with --set {change}"


def _collapse_by_scores(record):
    """Nothing of the pictures' variety is reached any more, and the distance is on the way up."""
    recall, frechet = _series(record.scores, "recall-"), _series(record.scores, "FD-", "FID")
    since = [value for _, value in recall[-WORSE_SCORES:]]
    if len(frechet) < WORSE_SCORES or any(since) or not any(value for _, value in recall):
        return None
    (best_step, best), (step, last) = min(frechet, key=itemgetter(1)), frechet[-1]
    if min(value for _, value in frechet[-WORSE_SCORES:]) < WORSE * best or best_step == step:
        return None
    return (
        f"recall is 0 since step {frechet[-WORSE_SCORES][0]:,.0f}, and the Frechet distance, {best:,.4g} at step "
        f"{best_step:,.0f}, is {last:,.4g} at step {step:,.0f}"
    )


def _collapse_by_faces(record):
    """The faces of a grid are nearly one face."""
    faces, pictures = record.faces, record.pictures
    if faces is None or pictures is None or min(len(faces), len(pictures)) < JUDGED or record.faces_step < GROWN:
        return None
    of_faces, of_pictures = variety(faces), variety(pictures)
    if of_faces > ONE_FACE * of_pictures:
        return None
    return (
        f"two faces of the grid of step {record.faces_step:,} differ by {of_faces:.3f} of full scale, "
        f"two training pictures by {of_pictures:.3f}"
    )


def _copying(record):
    return _copying_by_scores(record) or _copying_by_faces(record)


def _copying_by_scores(record):
    """`evaluate` has found the faces too near to pictures that are trained on."""
    for line in reversed(record.evaluations):
        with suppress(LookupError, TypeError, AttributeError):
            part, scores = line["real"]["part"], line["scores"]
            values = [value for name, value in scores.items() if name.startswith("authenticity-")]
            if part != "test" and values:
                if values[0] < AUTHENTIC:
                    evidence = f"`evaluate` found authenticity {values[0]:.2f}, which is some 0.85 among different pictures"
                    return evidence, MORE
                return None
    return None


def _copying_by_faces(record):
    """Faces of the grid are as near to a picture as no other picture is."""
    faces, pictures = record.faces, record.pictures
    if faces is None or pictures is None or len(pictures) < LEAST_PICTURES:
        return None
    apart = difference(pictures, pictures)
    np.fill_diagonal(apart, np.inf)
    near = np.minimum(difference(faces, pictures), difference(faces, pictures[:, :, ::-1])) < COPY * np.median(apart.min(1))
    copies, copied = near.any(1).sum(), near.any(0).sum()
    if min(copies, copied) < COPIES * len(faces):  # one pale picture is near to all of the first faces, which are grey
        return None
    evidence = (
        f"{copies} of {len(faces)} faces in the grid of step {record.faces_step:,} are nearer to one of {copied} training "
        f"pictures than {COPY:.0%} of what two of these differ by at least"
    )
    return evidence, MORE


def _plateau(record):
    """The best distance has been the best for long."""
    kernel = _series(record.scores, "KID")
    if len(kernel) < PLATEAU_SCORES:
        return None
    half = [pair for pair in kernel if pair[0] > kernel[-1][0] / 2]
    before = [pair for pair in kernel if pair[0] <= kernel[-1][0] / 2]
    if len(half) < PLATEAU_SCORES // 2 or not before:
        return None
    (best_step, best), (_, since) = min(before, key=itemgetter(1)), min(half, key=itemgetter(1))
    usual, usual_since = (median(value for _, value in pairs) for pairs in (before, half))
    if since < GAIN * best or usual_since < GAIN * usual:
        return None
    rates = record.recipe.g_learning_rate / 2, record.recipe.d_learning_rate / 2
    evidence = (
        f"the kernel distance was {best:.4g} at step {best_step:,.0f} and, in the {len(half)} scores since, {since:.4g} at best"
    )
    return evidence, "`fit --from` this run in a new --run with --set g_learning_rate={:g} --set d_learning_rate={:g}".format(
        *rates
    )


def _series(scores, *beginnings):
    """Steps and values of the first score whose name begins like that, its deviation left out."""
    return [
        (row["step"], value)
        for row in scores
        for name, value in row.items()
        if name.startswith(beginnings) and not name.endswith("-deviation")
    ]


ILLNESSES = {
    "pictures": _pictures,
    "diverging": _diverging,
    "discriminator-wins": _discriminator_wins,
    "collapse": _collapse,
    "copying": _copying,
    "plateau": _plateau,
}
