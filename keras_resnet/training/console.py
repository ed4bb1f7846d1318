"""What a run says while it trains: on a terminal one line that moves on, else one line an epoch."""

import shutil
import sys
import time

from keras_resnet.training.state import Calendar, State


class Console:
    """Prints epoch, step, loss, error, rate, images/s, the time gone and the time left."""

    def __init__(self):
        self.terminal = sys.stdout.isatty()
        self.start = time.perf_counter()
        self.first_step: int | None = None
        self.last: dict = {}

    def train(self, state: State, calendar: Calendar, values: dict[str, float]) -> None:
        """After a window of steps."""
        if self.first_step is None:  # the first window holds the set-up
            self.first_step, self.first_time = state.step, time.perf_counter()
        self.last = values
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1  # a longer line could not be taken back
            print(f"\r\033[K{self._line(state, calendar)[:width]}", end="", flush=True)

    def validation(self, state: State, calendar: Calendar, summary: str) -> None:
        """After a validation, in a few words."""
        line = f"{self._line(state, calendar)}  {summary}"
        print(f"\r\033[K{line}" if self.terminal else line, flush=True)

    def _line(self, state, calendar) -> str:
        epochs = -(-calendar.total_steps // calendar.epoch_steps)
        epoch = -(-state.step // calendar.epoch_steps)
        parts = [f"epoch {epoch}/{epochs}", f"step {state.step}/{calendar.total_steps}"]
        if self.last:
            parts.append(f"loss {self.last['loss']:.3f}")
            parts += [f"error {self.last['error']:.1f} %"] if "error" in self.last else []
            parts += [f"rate {self.last['learning_rate']:.4g}", f"{self.last['images_per_second']:.0f} images/s"]
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
