from .recipe_study import compare_arms as compare_arms, train as train
from .statistics import compare as compare
from .study import Arm as Arm, Study as Study
from .study_run import run_study as run_study
from .study_settings import (
    RecipeStudySettings as RecipeStudySettings,
    StudySettings as StudySettings,
    command_line as command_line,
)
