"""Detection data reduced to one class a photo."""

import sys
from dataclasses import replace

from keras_resnet.detection.boxes import Truths, area
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.errors import InputError


def one_class(data: DetectionData) -> DetectionData:
    """``data`` with the objects of one class a photo, that of its largest object; ignored objects do not count.

    Photos without objects are left out, counted and named on standard error; those of a part without annotations stay.

    Raises:
        InputError: no photo has an object.
    """
    if not data.annotated:
        return data
    useful = [bool((~photo.objects.ignored).any()) for photo in data.photos]
    kept = [place for place, has in enumerate(useful) if has]
    if not kept:
        raise InputError(f"{data.name} has no photo with boxes: annotate some, or give other data.")
    if len(kept) < len(data):
        first = data.photos[useful.index(False)].file
        print(f"{data.name}: {len(data) - len(kept):,} photos without boxes left out, such as {first}", file=sys.stderr)
        data = data.select(kept)
    return replace(data, photos=tuple(replace(p, objects=_of_largest(p.objects)) for p in data.photos), dataset=None)


def _of_largest(objects: Truths) -> Truths:
    boxes, classes = objects.boxes[~objects.ignored], objects.classes[~objects.ignored]
    of_largest = classes == classes[area(boxes).argmax()]
    return Truths(boxes[of_largest], classes[of_largest])
