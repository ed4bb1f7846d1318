from .defaults import follow_photos as follow_photos
from .detection_settings import PAPER as PAPER, DetectionSettings as DetectionSettings
from .detection_task import DetectionTask as DetectionTask
from .photo_reading import read_photos as read_photos
from .protocols import PROTOCOLS as PROTOCOLS, Protocol as Protocol
from .reporter import draw_detections as draw_detections
from .steps import train as train
