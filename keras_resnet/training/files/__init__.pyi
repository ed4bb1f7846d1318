from .checkpoints import CheckpointFolder as CheckpointFolder
from .first_values import (
    check_first_images as check_first_images,
    first_colours as first_colours,
    first_mean as first_mean,
)
from .metrics_file import Metrics as Metrics, read_metrics as read_metrics, write_metrics as write_metrics
from .photo_lists import (
    first_count as first_count,
    first_photos as first_photos,
    with_first_photos as with_first_photos,
)
from .run_result import hardware as hardware, provenance as provenance, versions as versions
from .workdir import Workdir as Workdir, read_result as read_result, read_settings as read_settings
