from .defaults import follow_photos as follow_photos
from .detection_settings import DetectionSettings as DetectionSettings, paper_settings as paper_settings
from .detection_task import DetectionTask as DetectionTask
from .finished_detector import FinishedDetector as FinishedDetector, like_finished as like_finished
from .photo_reading import read_photos as read_photos
from .protocols import PROTOCOLS as PROTOCOLS, Protocol as Protocol
from .reporter import draw_detections as draw_detections
from .steps import train as train
