"""Studies: networks that differ in one thing, trained over several seeds on CIFAR-10 and compared.

A study is a ``Study``, data; ``command_line(STUDY, __doc__)`` makes a program of it.
"""

from keras_resnet.studies.run import StudySettings, command_line, run_study
from keras_resnet.studies.statistics import compare
from keras_resnet.studies.study import Arm, Study

__all__ = ["Arm", "Study", "StudySettings", "command_line", "compare", "run_study"]
