from .run import StudySettings as StudySettings
from .run import command_line as command_line
from .run import run_study as run_study
from .statistics import compare as compare
from .study import Arm as Arm
from .study import Study as Study
