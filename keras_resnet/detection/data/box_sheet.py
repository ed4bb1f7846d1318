"""Photos with their boxes drawn, by which wrong boxes are seen at a glance."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from keras_resnet import drawing
from keras_resnet.detection.data.photos import DetectionData, Photo

DRAWN, DRAWN_SIDE = 12, 480  # photos, and pixels of their longer side


def drawn_boxes(part: DetectionData) -> Iterator[tuple[Photo, np.ndarray]]:
    """Photos of ``part``, those of the rarest classes first, as pictures with their boxes: uint8."""
    counts = Counter(number for photo in part.photos for number in photo.objects.classes.tolist())
    rarest = sorted(
        (min((counts[number] for number in photo.objects.classes.tolist()), default=counts.total() + 1), place)
        for place, photo in enumerate(part.photos)
    )
    for _, place in rarest[:DRAWN]:
        photo = part.photos[place]
        try:
            picture = part.picture(place).numpy()
        except Exception:  # a photo that does not decode, which the scan of a run names
            continue
        step = max(1, -(-max(picture.shape[:2]) // DRAWN_SIDE))
        names = [part.classes[number] for number in photo.objects.classes]
        yield photo, drawing.boxes(picture[::step, ::step], photo.objects.boxes / step, names, photo.objects.classes)
