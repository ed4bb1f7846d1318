"""A run's progress: on a terminal one line that is updated in place, otherwise a line per epoch and a few before."""

import shutil
import sys
import time

from keras_resnet.training.state import Calendar, State

PATIENCE = 8.0  # seconds between lines; without a terminal each wait is twice as long as the one before


class Console:
    """Prints epoch, step, loss, error, rate, images/s, the elapsed time and the time left.

    Attributes:
        last: the values of the last window, which may come from an earlier process.
    """

    def __init__(self):
        self.terminal = sys.stdout.isatty()
        self.start = self.last_shown = time.perf_counter()
        self.patience = PATIENCE
        self.first_step: int | None = None
        self.last: dict = {}

    def step(self, state: State, calendar: Calendar, images_per_second: float | None) -> None:
        """Show a step if nothing has been shown for a while."""
        now = time.perf_counter()
        if self.first_step is None:  # the first step includes the set-up
            self.first_step, self.first_time = state.step, now
        if now - self.last_shown >= self.patience:
            if images_per_second is not None:
                self.last = self.last | {"images_per_second": images_per_second}
            self._show(state, calendar)
            self.patience *= 1 if self.terminal else 2

    def train(self, state: State, calendar: Calendar, values: dict[str, float]) -> None:
        """Take the values of a window of steps, and show them on a terminal."""
        self.last = values
        if self.terminal:
            self._show(state, calendar)

    def validation(self, state: State, calendar: Calendar, summary: str) -> None:
        """Show a validation by its ``summary``."""
        line = f"{self._line(state, calendar)}  {summary}".rstrip()
        self.last_shown = time.perf_counter()
        print(f"\r\033[K{line}" if self.terminal else line, flush=True)

    def _show(self, state, calendar):
        self.last_shown, line = time.perf_counter(), self._line(state, calendar)
        width = shutil.get_terminal_size().columns - 1  # a longer line could not be overwritten
        print(f"\r\033[K{line[:width]}" if self.terminal else line, end="" if self.terminal else "\n", flush=True)

    def _line(self, state, calendar) -> str:
        epochs = -(-calendar.total_steps // calendar.epoch_steps)
        epoch = -(-state.step // calendar.epoch_steps)
        parts = [f"epoch {epoch}/{epochs}", f"step {state.step}/{calendar.total_steps}"]
        parts += [form(self.last[name]) for name, form in FORMATS.items() if name in self.last]
        parts.append(f"{duration(time.perf_counter() - self.start)}, {self._left(state, calendar)} left")
        return "  ".join(parts)

    def _left(self, state, calendar) -> str:
        if self.first_step is None or state.step == self.first_step:
            return "0:00" if state.step == calendar.total_steps else "?"
        pace = (time.perf_counter() - self.first_time) / (state.step - self.first_step)
        return duration(pace * (calendar.total_steps - state.step))


def duration(seconds: float) -> str:
    """``3:07``, ``2:03:07`` or ``5 d 2:03:07``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    day = f"{days} d " if days else ""
    return f"{day}{hours}:{minutes:02d}:{seconds:02d}" if day or hours else f"{minutes}:{seconds:02d}"


def speed(images_per_second: float) -> str:
    """``512 images/s`` or ``0.83 images/s``."""
    return f"{images_per_second:.0f} images/s" if images_per_second >= 10 else f"{images_per_second:.2g} images/s"


FORMATS = {
    "loss": "loss {:.3f}".format,
    "error": "error {:.1f} %".format,
    "learning_rate": "rate {:.4g}".format,
    "images_per_second": speed,
}
