"""Errors of models, alone and averaged, on test photos (Tables 3 to 6).

    python tools/evaluate.py --model ResNet50:imagenet --data DIR --view 10-crop
    python tools/evaluate.py --model resnet20.th resnet56.th --data cifar10 --data-dir TFDS --split test
    python tools/evaluate.py --model A.keras B.keras C.keras --data DIR --view multi-scale --choose 2
    python tools/evaluate.py --model best.keras --data DIR --by-class classes/

Prints top-1 and top-5 error with their exact 95 % intervals, for each model and for the average of all. Scores are kept
in the cache folder, so that another question about the same models and photos costs nothing. --by-class says which
classes fail, which are taken for which, and whether the probabilities are to be trusted; of several models that is
said of their average.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import keras_resnet
from keras_resnet import evaluation
from keras_resnet.bounds import Count, Length, Pixels
from keras_resnet.command_line import Folder, JsonFile, run_tool
from keras_resnet.data import open_data
from keras_resnet.files import write_whole
from keras_resnet.tables import Table, write_tables

TOP_K = 5


@dataclass(frozen=True)
class Evaluate:
    """Which models on which photos, seen how."""

    model: tuple[str, ...]
    """NAME:WEIGHTS (a file, or imagenet), a .keras file or another weight file; several make an ensemble."""
    data: str
    """A folder with train/<class>/* and val/<class>/*, record shards, the name of a TFDS data set, or demo."""
    data_dir: Path | None = None
    """Where TFDS data sets are prepared."""
    split: Literal["val", "test", "train"] = "val"
    """Which part of the data."""
    view: Literal["center", "10-crop", "multi-scale"] = "center"
    """How each photo is shown: its center, four corners and center with flips, or whole at several scales."""
    scales: Annotated[tuple[Pixels, ...], Length(1, 100)] | None = None
    """Shorter sides of multi-scale, in pixels; default 224 256 384 480 640, in proportion to the model's size,
    rounded up to multiples of its stride."""
    flips: bool = False
    """Show mirror images too, with center and multi-scale."""
    batch_size: Count = 32
    """Images of the model's own size in one forward pass."""
    choose: Count | None = None
    """Choose this many of the models greedily on the validation split, then report on --split."""
    by_class: Folder | None = None
    """A folder for the answers by class: classes.csv, confusion.csv and confusion.png, reliability.png, and the photos
    of the most confused pairs, confused.png."""
    json: JsonFile | None = None
    """A file for the table as data, with the wrong answers counted, the command, commit and machine."""

    def run(self) -> None:
        view = evaluation.View(self.view, self.scales, self.flips)
        ensemble = evaluation.Ensemble(self.model, keras_resnet.load_model, view, self.batch_size)
        found = open_data(self.data, self.data_dir)
        members = list(self.model)
        if self.choose is not None:
            members = evaluation.greedy(ensemble.member_scores(found, found.validation), self.choose)
            print(f"chosen on {found.validation.name}, in this order: {', '.join(members)}")
            ensemble = evaluation.Ensemble(members, keras_resnet.load_model, view, self.batch_size)
        split = found.part(self.split)
        start = time.perf_counter()
        scores = ensemble.member_scores(found, split)
        seconds = time.perf_counter() - start
        print(f"{found.name}, {split.name}: {len(split):,} images; view {self.view}{' with flips' * self.flips}")
        rows = scores | ({"average of all": evaluation.joint(list(scores.values()))} if len(scores) > 1 else {})
        counted = (1, TOP_K) if len(found.classes) > TOP_K else (1,)
        errors = {name: {f"top-{k}": each.error(k) for k in counted} for name, each in rows.items()}
        table = Table("errors", ("model", *(f"top-{k} error (95 % interval)" for k in counted)))
        print()
        table.print_header()
        for name, each in errors.items():
            table.add(name, *each.values())
        print(f"\n{seconds:.0f} s, scores of earlier runs included")
        wrong = {name: {key: error.wrong for key, error in each.items()} for name, each in errors.items()}
        about = {"data": found.name, "split": split.name, "photos": len(split), "view": self.view, "flips": self.flips}
        tables, found_by_class = [table], {}
        if self.by_class is not None:
            validation = None
            if self.split != "val":
                validation = evaluation.joint(list(ensemble.member_scores(found, found.validation).values()))
            report = evaluation.report_of(list(rows.values())[-1], found.classes, split, validation)
            tables.append(report.table())
            found_by_class = {"by_class": report.as_json()}
            self._show(report, list(rows)[-1])
        write_tables(self.json, tables, **about, scales=self.scales, wrong=wrong, **found_by_class)

    def _show(self, report: "evaluation.ClassReport", name: str) -> None:
        """Print the answers by class of the model of this name, and write their files."""
        table, lines = report.table(), evaluation.in_words(report.as_json())
        fewest = len(table.rows) < len(report.answers.classes)
        print(f"\n{name}, {f'the {len(table.rows)} classes of lowest recall' if fewest else 'by class'}:\n")
        print("\n".join([table.markdown(), "", *lines]))
        self.by_class.mkdir(parents=True, exist_ok=True)
        for file, write in report.writers().items():
            write_whole(self.by_class / file, write)
        print(f"{', '.join(report.writers())} in {self.by_class}")


if __name__ == "__main__":
    run_tool(Evaluate, __doc__)
