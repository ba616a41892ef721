"""Saying what is wrong with a training while it goes on, and ending it where that is wanted."""

import logging
import math
from collections.abc import Sequence

from ganime.doctor import pictures_path, read_record, small_pictures
from ganime.history import is_score
from ganime.illnesses import ILLNESSES, examine
from ganime.pictures.grids import make_grid, save_picture
from ganime.run import Run
from ganime.training.periodic import Dispensable
from ganime.training.records import History

FIRST = 20  # the step after which the pictures are looked at, when the loader has come to some of them anyway

log = logging.getLogger("ganime")


class Watch(Dispensable):
    """Look for what `ganime.diagnose` finds: early, then every so many steps, and whenever there are scores. Say each once.

    Args:
        run: The run, which has a configuration.
        history: Its `History`, which comes before this among the callbacks, as what makes sample grids does.
        pictures: What is trained on.
        every: Steps between two looks.
        stop_when: Names of illnesses (`ganime.illnesses.ILLNESSES`) with which training is not to go on.
    """

    def __init__(self, run: Run, history: History, pictures, every: int, stop_when: Sequence[str] = ()):
        super().__init__(every)
        self.run, self.history, self.pictures, self.stop_when = run, history, pictures, stop_when
        self.known: set[str] = set()
        self.images = None

    def next_due(self, step: int) -> float:
        """The next step after which there is a look (see `ganime.training.loop.train`)."""
        return min(super().next_due(step), FIRST if step < FIRST else math.inf)

    def on_train_batch_end(self, batch, logs=None):
        early = self.seen < FIRST <= self.step
        if self.is_due() | early | any(map(is_score, logs)):
            with self.or_go_on():
                self._look()

    def _look(self):
        try:
            record = read_record(self.run, self.history.summary)
        except OSError:  # what cannot be read could not be written, which has been said
            return
        if self.images is None:
            self.images = small_pictures(self.pictures, record.recipe.image_size)
            save_picture(pictures_path(self.run), make_grid(self.images))
        record.pictures = self.images
        unknown = [name for name in ILLNESSES if name not in self.known]
        self.known.add("pictures")  # they stay as they are
        for finding in examine(record, unknown):
            self.known.add(finding.name)
            log.warning("step %s: %s", f"{self.step:,}", finding)
            if finding.name in self.stop_when:
                self.model.stop_training = True
