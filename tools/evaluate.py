"""Errors of models and of their average on test photos (Tables 3 to 6).

    python tools/evaluate.py --model ResNet50:imagenet --data DIR --view 10-crop
    python tools/evaluate.py --model resnet20.th resnet56.th --data cifar10 --data-dir TFDS --split test
    python tools/evaluate.py --model A.keras B.keras C.keras --data DIR --view multi-scale --choose 2
    python tools/evaluate.py --model best.keras --data DIR --by-class classes/

Prints top-1 and top-5 error with exact 95 % intervals, for each model and for the average of all. Scores are kept in
the cache folder, so that the same models and photos are not scored again. --by-class reports recall and
precision of each class, the classes that are confused, and the calibration of the probabilities; with several models,
of their average.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import keras_resnet
from keras_resnet import evaluation
from keras_resnet.bounds import Count, Length, Pixels
from keras_resnet.command_line import Folder, JsonFile, ModelName, run_tool
from keras_resnet.data import open_data
from keras_resnet.data.dividing import BY_SHARE, Division
from keras_resnet.files import write_whole
from keras_resnet.tables import Table, write_tables
from keras_resnet.typing import ViewName

TOP_K = 5


@dataclass(frozen=True)
class Evaluate:
    """The models, the photos, and the views of each photo."""

    model: tuple[ModelName, ...]
    """NAME:WEIGHTS (a file, or imagenet), a .keras file or another weight file; several make an ensemble."""
    data: str
    """Class folders, a CSV file of path,label[,split], record shards, the name of a TFDS data set, or demo."""
    data_dir: Path | None = None
    """The folder of prepared TFDS data sets."""
    split: Literal["val", "test", "train"] = "val"
    """The part of the data."""
    division: Division = BY_SHARE
    """How photos without a split are divided: as the model's own run divided them."""
    view: ViewName = "center"
    """The views of each photo: its center, four corners and center with flips, or the whole photo at several scales."""
    scales: Annotated[tuple[Pixels, ...], Length(1, 100)] | None = None
    """Shorter sides for multi-scale, in pixels; default 224 256 384 480 640, in proportion to the model's size and
    rounded up to multiples of its stride."""
    flips: bool = False
    """Use mirror images too, with center and multi-scale."""
    batch_size: Count = 32
    """Images of the model's own size in one forward pass."""
    choose: Count | None = None
    """Choose this many of the models greedily on the validation split, then report on --split."""
    by_class: Folder | None = None
    """A folder for the answers by class: classes.csv, confusion.csv and confusion.png, reliability.png, and the photos
    of the most confused pairs, confused.png."""
    json: JsonFile | None = None
    """A file for the table as data, with the counts of wrong answers, the command, commit and machine."""

    def run(self) -> None:
        if self.by_class is not None:
            evaluation.check_folder(self.by_class)
        data = open_data(self.data, self.data_dir, self.division)
        view = evaluation.View(self.view, self.scales, self.flips)
        ensemble = evaluation.Ensemble(self.model, keras_resnet.load_model, view, self.batch_size)
        members = list(self.model)
        if self.choose is not None:
            members = evaluation.greedy(ensemble.member_scores(data, data.validation), self.choose)
            print(f"chosen on {data.validation.name}, in this order: {', '.join(members)}")
            ensemble = evaluation.Ensemble(members, keras_resnet.load_model, view, self.batch_size)
        split = data.part(self.split)
        start = time.perf_counter()
        scores = ensemble.member_scores(data, split)
        seconds = time.perf_counter() - start
        print(f"{data.name}, {split.name}: {len(split):,} images; view {self.view}{' with flips' * self.flips}")
        scores |= {"average of all": evaluation.joint(list(scores.values()))} if len(scores) > 1 else {}
        ks = (1, TOP_K) if len(data.classes) > TOP_K else (1,)
        errors = {name: {f"top-{k}": of_model.error(k) for k in ks} for name, of_model in scores.items()}
        table = Table("errors", ("model", *(f"top-{k} error (95 % interval)" for k in ks)))
        print()
        table.print_header()
        for name, of_model in errors.items():
            table.add(name, *of_model.values())
        print(f"\n{seconds:.0f} s, including scores of earlier runs")
        wrong = {name: {key: error.wrong for key, error in of_model.items()} for name, of_model in errors.items()}
        about = {"data": data.name, "split": split.name, "photos": len(split), "view": self.view, "flips": self.flips}
        tables, by_class = [table], {}
        if self.by_class is not None:
            validation = None
            if self.split != "val":
                validation = evaluation.joint(list(ensemble.member_scores(data, data.validation).values()))
            name, of_model = list(scores.items())[-1]
            report = evaluation.report_of(of_model, data.classes, split, validation)
            tables.append(report.table())
            by_class = {"by_class": report.as_json()}
            self._show(report, name, self.by_class)
        write_tables(self.json, tables, **about, scales=self.scales, wrong=wrong, **by_class)

    def _show(self, report: "evaluation.ClassReport", name: str, folder: Path) -> None:
        """Print the answers by class of the model of this name, and write their files."""
        table, lines = report.table(), evaluation.in_words(report.as_json())
        some = len(table.rows) < len(report.answers.classes)
        print(f"\n{name}, {f'the {len(table.rows)} classes of lowest recall' if some else 'by class'}:\n")
        print("\n".join([table.markdown(), "", *lines]))
        folder.mkdir(parents=True, exist_ok=True)
        for file, write in report.writers().items():
            write_whole(folder / file, write)
        print(f"{', '.join(report.writers())} in {folder}")


if __name__ == "__main__":
    run_tool(Evaluate, __doc__)
