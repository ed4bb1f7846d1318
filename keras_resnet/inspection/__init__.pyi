from .box_inspection import inspect_boxes as inspect_boxes
from .copies import Copies as Copies, find_copies as find_copies
from .facts import PhotoFacts as PhotoFacts, facts_of as facts_of
from .inspection_page import Inspection as Inspection, data_beside as data_beside, write_inspection as write_inspection
from .label_list import table_beside as table_beside, write_label_list as write_label_list
from .photo_inspection import inspect_photos as inspect_photos
