from .freezing import freeze as freeze, stages_of as stages_of
from .optimizer import SGD as SGD
from .schedules import schedule as schedule
from .training_model import TrainingModel as TrainingModel
