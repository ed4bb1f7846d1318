from .classification import Classification as Classification
from .files import (
    check_first_images as check_first_images,
    first_colours as first_colours,
    first_count as first_count,
    first_mean as first_mean,
    first_photos as first_photos,
    with_first_photos as with_first_photos,
)
from .own_photos import (
    PhotoSettings as PhotoSettings,
    balanced as balanced,
    loss_weights as loss_weights,
    open_photos as open_photos,
)
from .running import finished_result as finished_result, run as run
from .settings import RunSettings as RunSettings, Settings as Settings, command_line as command_line, resolve as resolve
from .stepping import (
    SGD as SGD,
    TrainingModel as TrainingModel,
    freeze as freeze,
    schedule as schedule,
    stages_of as stages_of,
)
from .strategy import choose_strategy as choose_strategy, distribute as distribute
from .task import Reporter as Reporter, Task as Task
