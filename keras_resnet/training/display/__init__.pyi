from .console import Console as Console
from .error_curves import Curves as Curves
from .mistakes import WorstMistakes as WorstMistakes
from .tensorboard import Profile as Profile
