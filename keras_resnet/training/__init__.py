"""Training as in Sec. 3.4 and 4.2: settings, optimizer, schedules, the run with its checkpoints and results.

``command_line(main, ...)`` is how a recipe starts, ``resolve`` fills its settings in, and
``run(settings, prepare)`` trains. ``freeze(model, upto="conv4", batch_norm=True)`` is for fine-tuning.
"""

from keras_resnet.training.experiment import Experiment
from keras_resnet.training.freezing import freeze, stages_of
from keras_resnet.training.model import TrainingModel
from keras_resnet.training.optimizer import SGD
from keras_resnet.training.photo_lists import first_photos, with_first_photos
from keras_resnet.training.run import run
from keras_resnet.training.schedules import schedule
from keras_resnet.training.settings import RunSettings, Settings, command_line, resolve
from keras_resnet.training.strategy import choose_strategy, distribute

__all__ = [
    "SGD",
    "Experiment",
    "RunSettings",
    "Settings",
    "TrainingModel",
    "choose_strategy",
    "command_line",
    "distribute",
    "first_photos",
    "freeze",
    "resolve",
    "run",
    "schedule",
    "stages_of",
    "with_first_photos",
]
