"""The four stages of localization: the RPN, its boxes, the R-CNN, and the test (appendix C)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from keras_resnet import training
from keras_resnet.data.pipelines import Shard
from keras_resnet.detection.backbone import from_network, preprocessing_of
from keras_resnet.detection.data.detection_sets import DetectionSets
from keras_resnet.detection.data.photo_files import check_unseen, content_hashes
from keras_resnet.detection.data.photos import DetectionData, check_same_classes
from keras_resnet.detection.training.photo_reading import as_begun, readable, with_files
from keras_resnet.errors import InputError
from keras_resnet.evaluation.scoring import weights_digest
from keras_resnet.files import object_or_none, read_object, sha256_of, write_json
from keras_resnet.loading import load_model
from keras_resnet.localization.batches import crop_batches, region_batches
from keras_resnet.localization.localization_settings import STAGES, LocalizationSettings
from keras_resnet.localization.localization_task import LocalizationTask
from keras_resnet.localization.localizer import Localizer
from keras_resnet.localization.networks import LocalizationRCNN, LocalizationRPN
from keras_resnet.localization.proposals import MANIFEST, Proposals, annotated_digest, extract
from keras_resnet.localization.rows import Networks, Testing, print_rows
from keras_resnet.localization.saved import load_localizer
from keras_resnet.network import Network
from keras_resnet.training.files.workdir import LEARNED_BOXES, has_begun
from keras_resnet.training.strategy import choose_strategy
from keras_resnet.training.workers import is_chief, together, worker_count, worker_index

RPN, PROPOSALS, RCNN, ROWS = "rpn", "proposals", "rcnn", "rows.json"  # in the workdir
LAST, TESTED = "last.keras", "tested"  # TESTED: a key of ROWS
OF_THE_RCNN: dict = dict.fromkeys(("region_size", "proposals", "rcnn_steps"))  # settings that the RPN is not told


def run_stages(settings: LocalizationSettings, sets: DetectionSets) -> None:
    """Do the stages that ``settings`` name, each in its own part of the workdir; finished ones are not done again.

    Raises:
        InputError: settings or data that cannot be used, or a stage whose predecessor is not there.
    """
    settings.check()
    network = load_model(settings.model)
    from_network(network)  # refuses, before a folder is made
    train = sets.part("train")
    if tuple(network.class_names or ()) != train.classes and "test" in settings.stages and network.class_names:
        raise InputError(
            f"{settings.model} knows other classes than {train.name} has: give a classifier of these, or leave out the "
            "stage test."
        )
    if "test" in settings.stages and sets.validation is None:
        raise InputError(f"{sets.name} has no val part to test on: add one, or give --stages rpn extract rcnn.")
    parts = {part: (data, readable(data)) for part, data in (("train", train), ("validation", sets.validation)) if data}
    if sets.validation is not None:
        check_same_classes(train, sets.validation)
        check_unseen(content_hashes(with_files(*parts["train"])), sets.validation, f"A network of {train.name}")
    for stage in STAGES:
        if stage in settings.stages:
            DO[stage](_Work(settings, network, parts))


class _Work:
    """What the stages share."""

    def __init__(self, settings: LocalizationSettings, network: Network, parts: dict):
        self.settings, self.network, self.parts = settings, network, parts
        self.folder = settings.workdir

    def part(self, name: str, settings: LocalizationSettings) -> DetectionData | None:
        """A part as the run with ``settings`` began with it."""
        if name not in self.parts:
            return None
        data, rows = self.parts[name]
        return as_begun(data, rows, settings.workdir, name)

    def train(self, settings: LocalizationSettings, prepare: Callable) -> None:
        """Run a training, unless it is finished."""
        if training.finished_result(settings) is None:
            training.run(settings, prepare)

    def earlier(self, stage: str):
        """The network of an earlier stage."""
        path = self.folder / stage / LAST
        if not path.is_file():
            raise InputError(f"There is no {path}: run the stage {stage} first, or all of them.")
        return load_localizer(path)


def _rpn(work: _Work) -> None:
    settings = replace(work.settings, workdir=work.folder / RPN, stages=STAGES, **OF_THE_RCNN)

    def prepare(settings: LocalizationSettings) -> LocalizationTask:
        train = work.part("train", settings)
        assert train is not None
        size, preprocessing = settings.image_size, preprocessing_of(work.network)
        return LocalizationTask(
            settings,
            train,
            work.part("validation", settings),
            len(train),
            lambda: LocalizationRPN(work.network, train.classes, size, settings.anchor_shares, settings.anchor_ratios),
            lambda start_step, shard: crop_batches(
                train, preprocessing, settings.batch_size, size, settings.seed, start_step, shard
            ),
            lambda model: Localizer([model]),
        )

    work.train(settings, prepare)


def _extracted(work: _Work) -> Proposals:
    """The proposals, extracted where they are not yet."""
    strategy, rpn = choose_strategy(), work.earlier(RPN)
    shard = Shard(worker_index(strategy), worker_count(strategy))
    data = with_files(*work.parts["train"])
    extracting = functools.partial(extract, rpn, data, work.folder / PROPOSALS, work.settings.proposals, shard)
    return together(strategy, extracting)()


def _rcnn(work: _Work) -> None:
    rpn, proposals = work.earlier(RPN), _extracted(work)
    settings = replace(
        work.settings, workdir=work.folder / RCNN, stages=STAGES, steps=work.settings.rcnn_steps, epochs=None
    )
    learned_boxes = read_object(work.folder / PROPOSALS / MANIFEST)
    _check_rcnn(settings.workdir, learned_boxes)

    def prepare(settings: LocalizationSettings) -> LocalizationTask:
        if is_chief(choose_strategy()) and not has_begun(settings.workdir):
            write_json(settings.workdir / LEARNED_BOXES, learned_boxes)
        size, preprocessing = settings.region_size, preprocessing_of(work.network)
        return LocalizationTask(
            settings,
            proposals.data,
            work.part("validation", settings),
            proposals.boxes.shape[0] * proposals.boxes.shape[1],
            lambda: LocalizationRCNN(work.network, proposals.data.classes, size),
            lambda start_step, shard: region_batches(
                proposals, preprocessing, settings.batch_size, size, settings.seed, start_step, shard
            ),
            lambda model: Localizer([rpn], [model], proposals=settings.proposals),
        )

    work.train(settings, prepare)


def _check_rcnn(folder: Path, boxes: dict) -> None:
    """Raise :class:`InputError` if the R-CNN in ``folder`` learned from other boxes than ``boxes`` describes.

    Args:
        folder: the R-CNN's.
        boxes: the content of MANIFEST, or a part of it.
    """
    before = object_or_none(folder / LEARNED_BOXES)
    if before is None:  # an earlier version wrote none
        return
    if has_begun(folder) and any(before.get(key) != value for key, value in boxes.items()):
        raise InputError(
            f"The R-CNN in {folder} learned from the boxes of another RPN, of other photos, or of another number: "
            "remove the folder, and the same command trains it again, or give another --workdir."
        )


def _test(work: _Work) -> None:
    path = work.folder / ROWS
    rpn, rcnn, data = work.earlier(RPN), work.folder / RCNN, with_files(*work.parts["validation"])
    if not is_chief(choose_strategy()):
        return
    tested = _to_test(work, data)
    if (object_or_none(path) or {}).get(TESTED) == tested:
        return
    rcnns = []
    if (rcnn / LAST).is_file():
        _check_rcnn(rcnn, {"network": weights_digest(rpn)})
        rcnns = [work.earlier(RCNN)]
    networks = Networks([rpn], rcnns, [work.network])
    print_rows(networks, data, Testing(count=work.settings.proposals, json=path))
    write_json(path, read_object(path) | {TESTED: tested})


def _to_test(work: _Work, data: DetectionData) -> dict:
    """On what the rows of ``data`` depend: the networks' files, the classifier, the photos, and the number of boxes."""
    files = [work.folder / stage / LAST for stage in (RPN, RCNN)]
    hashes = {file.parent.name: sha256_of(file) for file in files if file.is_file()}  # clocks may go back
    hashes |= {"classifier": weights_digest(work.network), "photos": annotated_digest(data)}
    return hashes | {"proposals": work.settings.proposals}


DO: dict[str, Callable[[_Work], object]] = {"rpn": _rpn, "extract": _extracted, "rcnn": _rcnn, "test": _test}
