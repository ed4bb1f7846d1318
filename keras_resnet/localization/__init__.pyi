from .batches import crop_batches as crop_batches, region_batches as region_batches, warp as warp
from .classes import (
    as_split as as_split,
    photo_data as photo_data,
    probabilities as probabilities,
    top_classes as top_classes,
)
from .loc_data import open_loc as open_loc
from .localization_sets import open_localization_sets as open_localization_sets
from .localization_settings import LocalizationSettings as LocalizationSettings
from .localization_task import LocalizationTask as LocalizationTask
from .localizer import Localizer as Localizer
from .networks import LocalizationRCNN as LocalizationRCNN, LocalizationRPN as LocalizationRPN
from .one_class import one_class as one_class
from .per_class import PerClass as PerClass
from .proposals import Proposals as Proposals, extract as extract
from .row_names import ROWS as ROWS, Row as Row, RowName as RowName
from .rows import Networks as Networks, Testing as Testing, print_rows as print_rows
from .saved import load_localizer as load_localizer
from .scoring import (
    difference as difference,
    error as error,
    mistakes as mistakes,
    write_submission as write_submission,
)
from .stages import run_stages as run_stages
