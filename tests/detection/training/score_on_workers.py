"""Validate a saved detector as one of several workers or as the only one, and save the scores and detections.

python score_on_workers.py DETECTOR PHOTOS OUT
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_resnet.detection import BENCHMARKS, PROTOCOLS, DetectionSettings, DetectionTask, load_detector, open_coco
from keras_resnet.training import choose_strategy
from keras_resnet.training.workers import linger, worker_index
from keras_resnet.weights import Preprocessing

DETECTOR, PHOTOS, OUT = sys.argv[1:]
strategy = choose_strategy()
photos = open_coco(Path(PHOTOS) / "val.json", Path(PHOTOS) / "val").first(5)
with strategy.scope():
    model = load_detector(DETECTOR)
detections = {}


def score(data, answers):
    detections.update(
        {f"photo {photo}": np.column_stack([f.classes, f.scores, f.boxes]) for photo, f in answers.items()}
    )
    return BENCHMARKS["coco"].score(data, answers)


settings = DetectionSettings(model="none", head="c4", batch_size=1, steps=1, base_lr=0.001)
benchmark = replace(BENCHMARKS["coco"], score=score)
task = DetectionTask(photos, photos, benchmark, settings, None, Preprocessing(mean=[0, 0, 0]), PROTOCOLS["coco"])
values = task.validator(strategy)(model, lambda: False)
np.savez(f"{OUT}-{worker_index(strategy)}.npz", **values, **detections, looked_at=len(task.pictures))
linger(strategy)
