from .classification import Classification as Classification
from .freezing import freeze as freeze, stages_of as stages_of
from .model import TrainingModel as TrainingModel
from .optimizer import SGD as SGD
from .photo_lists import first_photos as first_photos, with_first_photos as with_first_photos
from .running import run as run
from .schedules import schedule as schedule
from .settings import RunSettings as RunSettings, Settings as Settings, command_line as command_line, resolve as resolve
from .strategy import choose_strategy as choose_strategy, distribute as distribute
from .task import Reporter as Reporter, Task as Task
