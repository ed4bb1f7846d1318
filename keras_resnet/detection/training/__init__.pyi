from .detection_settings import DetectionSettings as DetectionSettings
from .detection_task import DetectionTask as DetectionTask
from .photo_reading import first as first, photos_of as photos_of
from .protocols import PROTOCOLS as PROTOCOLS, Protocol as Protocol
from .reporter import drawn as drawn
from .steps import train as train
