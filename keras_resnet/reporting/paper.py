"""docs/paper.md: the paper's values and open questions, with the command that answers each and the result here."""

import json
from dataclasses import dataclass
from pathlib import Path

from keras_resnet.errors import InputError
from keras_resnet.localization.row_names import ROWS
from keras_resnet.reporting.paper_values import (
    MULTIPLY_ADDS,
    TABLE_2,
    TABLE_3,
    TABLE_4,
    TABLE_5,
    TABLE_6,
    TABLE_7,
    TABLE_8,
    TABLE_9,
)
from keras_resnet.studies.report import length
from keras_resnet.tables import Table

TRAINED = "python recipes/imagenet.py --data DIR --model {} --workdir runs/{}"
TESTED = "python tools/evaluate.py --data DIR --view {} --model {}"
DETECTORS = {
    "voc": "python recipes/voc.py --model {}:imagenet --data VOCdevkit --workdir {}",
    "coco": "python recipes/coco.py --model {}:imagenet --data DIR --workdir {}",
    "det": "python recipes/det.py --model {}:imagenet --data ILSVRC_DIR --workdir {}",
}
SCORED = "python tools/evaluate_detection.py --model {}"
LOCALIZED = (
    "python recipes/localization.py --model ResNet101:imagenet --data ILSVRC_DIR --stages rpn extract rcnn --seed {} "
    "--workdir {}"
)
LOCALIZERS = ("ResNet101:imagenet", "ResNet152:imagenet")  # whose classes are taken
CIFAR = "python recipes/cifar10.py --data-dir DIR --train-images all --model {}"
STUDY = "python recipes/studies/{}.py --data-dir DIR"
ANALYZE = "python tools/analyze.py {} --data cifar10 --data-dir DIR --model {}"
DEGRADATION = "runs/studies/degradation/{}-seed0/last.keras"  # networks of that study, to which instruments are applied
WEIGHTS = ("resnet20-12fca82f", "resnet56-4bfd9763")  # trained CIFAR networks of akamaster/pytorch_resnet_cifar10
FOUR = ("PlainNet20", "PlainNet56", "ResNet20", "ResNet56")
DEPTHS = tuple(f"{kind}{depth}" for kind in ("PlainNet", "ResNet") for depth in (20, 32, 44, 56, 110))
FIGURE_7 = {  # (file of the result, training of its networks): their names
    ("responses", "weights after 640 steps of 32"): (*FOUR, "ResNet110"),
    ("responses-3200", "weights after 3,200 steps of 128"): FOUR,
    ("responses-pocket", "weights of the pocket protocol, 16 pixels"): (*FOUR, "PlainNet32", "ResNet32"),
    ("responses", "weights of another project, trained in full"): WEIGHTS,
}

COST = "python tools/analyze.py cost --model {} --batch-size {} --measure"
STUDIES = {  # name: the question of docs/questions.md that it answers, or the section of the paper that it checks
    "regularization": "Question 4: regularizing 110 and 1202",
    "depth_for_width": "Question 5: width for depth",
    "shortcuts": "Question 7: shortcuts by depth",
    "placements": "Question 8: placements",
    "bottleneck": "Question 9: bottleneck at matched cost",
    "highway": "Sec. 2: gates instead of identity",
    "warm_up": "Sec. 4.2: warm-up at 110",
}
INSTRUMENTS = (  # the instrument's name, (question, quantity), and the place of the quantity in its result
    ("curvature", ("Question 1: landscape", "largest eigenvalue of the Hessian"), "curvature-pocket.json/top/{}-seed0"),
    ("lipschitz", ("Question 2: Lipschitz", "largest of a block, measured"), "lipschitz-pocket.json/largest/{}-seed0"),
    ("gradients", ("Question 2: shattering", "correlation of gradients at a distance of 0.1 of the input's norm"),
     "gradients.json/gradients/{}-seed0/correlation/0.1"),
    ("conditioning",
     ("Question 1: effective conditioning", "5 % quantile of the singular values of the last stage's product"),
     "conditioning.json/last_product/{}-seed0/5%"),
    ("lesions", ("Question 2: redundancy", "error without one block, median"), "lesions.json/median/{}-seed0"),
)  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """A row of docs/paper.md: a value of a table or figure, or a question that the paper leaves open.

    Fields:
        where: the table, figure or question.
        what: the quantity, with its network and unit.
        paper: the paper's value; empty if the paper has none.
        command: the command that answers it; empty if there is none yet.
        source: a file below ``docs/results`` and keys into it, ``"file.json/key/key"``; empty if it was not run.
        scale: factor of our number.
        note: the conditions of our number if they differ from the paper's.
    """

    where: str
    what: str
    paper: str
    command: str
    source: str = ""
    scale: float = 1.0
    note: str = ""


def claims() -> list[Claim]:
    """Every table and figure of the paper, and every question of docs/questions.md."""
    return [*_tables(), *_figures(), *_detection(), *_questions()]


def _tables():
    for depth, paper in MULTIPLY_ADDS.items():
        source = f"cost-imagenet.json/cost/ResNet{depth}/multiply_adds"
        yield Claim("Table 1", f"ResNet-{depth}, 10⁹ multiply-adds", paper, "python tools/table1.py", source, 1e-9)
    for name, paper in TABLE_2.items():
        shortcut = None if name.startswith("Plain") else "A"
        yield Claim("Table 2", f"{_named(name, shortcut)}, 10-crop top-1 error", f"{paper}",
                    _train_and_test(name, shortcut, "10-crop"))  # fmt: skip
    for where, view, rows in (("Table 3", "10-crop", TABLE_3), ("Table 4", "multi-scale", TABLE_4)):
        for (name, shortcut), paper in rows.items():
            yield Claim(where, f"{_named(name, shortcut)}, {view} top-1 / top-5", paper,
                        _train_and_test(name, shortcut, view))  # fmt: skip
    six = TESTED.format("multi-scale", " ".join(f"runs/{_run(*member)}/last.keras" for member in TABLE_5))
    yield Claim("Table 5", "six networks, top-5 on the test set", "3.57",
                f"{six} --split test, each trained as for Table 4, the second ResNet152 with --seed 1")  # fmt: skip
    for depth, paper in TABLE_6.items():
        yield Claim("Table 6", f"ResNet-{depth}, CIFAR-10 test error", paper, CIFAR.format(f"ResNet{depth}"))
    for part, words in (("val", "error on 5,000 held-out images"), ("test", "error on the first 1,000 test images")):
        yield Claim("Table 6", f"ResNet-20 trained on 45,000 images, {words}", "8.75", STUDY.format("degradation"),
                    f"study-degradation-full.json/arms/ResNet20/{part}_error/mean")  # fmt: skip
    yield Claim("Table 6", "ResNet-110, five runs", "6.61 ± 0.16", STUDY.format("seeds") + " --arms ResNet110")


def _named(name: str, shortcut: str | None) -> str:
    return f"{name}, {shortcut}" if shortcut else name


def _run(name: str, shortcut: str | None) -> str:
    """The name of a run's folder."""
    return "-".join(filter(None, (name, shortcut)))


def _train_and_test(name: str, shortcut: str | None, view: str) -> str:
    """The command that trains and tests; ``best.keras`` would have been chosen on the photos of the test."""
    folder = _run(name, shortcut)
    trained = TRAINED.format(f"{name} --shortcut {shortcut}" if shortcut else name, folder)
    return f"{trained} && {TESTED.format(view, f'runs/{folder}/last.keras')}"


def _figures():
    for file in ("study-degradation-pocket-h200", "study-degradation-pocket", "study-degradation"):
        for name in FOUR if file.endswith("h200") else DEPTHS:
            where, depth = ("Figs. 1, 6", "rises") if name.startswith("Plain") else ("Fig. 6", "falls")
            source = f"{file}.json/arms/{name}/train_error/mean"
            yield Claim(where, f"{name}, training error", f"{depth} with depth", STUDY.format("degradation"), source)
    yield Claim("Fig. 6", "ResNet1202, training error", "below 0.1 at the end", CIFAR.format("ResNet1202"))
    for name in TABLE_2:
        yield Claim("Fig. 4", f"{name} on ImageNet, training and validation error by step", "curves",
                    TRAINED.format(name if name.startswith("Plain") else f"{name} --shortcut A", name))  # fmt: skip
    for (file, note), names in FIGURE_7.items():
        for name in names:
            paper = "above residual" if name.startswith("Plain") else "below plain, less with depth"
            source = f"{file}.json/mean/{name}" + ("" if name in WEIGHTS else "-seed0")
            model = f"{name}.th" if name in WEIGHTS else DEGRADATION.format(name)
            yield Claim("Fig. 7", f"{name}, mean std", paper, ANALYZE.format("responses", model), source, note=note)


def _detection():
    """Rows that train and score detectors; a detector that is trained already is not trained again."""
    for (year, network), paper in TABLE_7.items():
        folder, test = f"runs/voc{year}-{network}", "--benchmark voc2007" if year == "07" else "--benchmark voc2012"
        sets = "--train 07+12 --test 07" if year == "07" else "--train 07++12 --test none"
        server = "" if year == "07" else " --split test --out FOLDER, for the server"
        yield Claim("Table 7", f"VOC {year}, {network}, mAP", paper,
                    f"{DETECTORS['voc'].format(network, folder)} {sets} && {SCORED.format(f'{folder}/last.keras')} "
                    f"--data VOCdevkit {test} --rows baseline{server}")  # fmt: skip
    for network, paper in TABLE_8.items():
        folder = f"runs/coco-{network}"
        yield Claim("Table 8", f"COCO val, {network}, mAP@.5 / @[.5, .95]", paper,
                    f"{DETECTORS['coco'].format(network, folder)} && {SCORED.format(f'{folder}/last.keras')} "
                    "--data DIR --rows baseline")  # fmt: skip
    trained = DETECTORS["coco"].format("ResNet101", "runs/coco-ResNet101")
    context = DETECTORS["coco"].format("ResNet101", "runs/coco-context{0}") + " --context --seed {0}"
    for row, paper in TABLE_9.items():
        members = 3 if row == "ensemble" else 0 if row in ("baseline", "refinement") else 1
        commands = [trained, *(context.format(seed) for seed in range(members))]
        models = ["runs/coco-ResNet101/last.keras", *(f"runs/coco-context{seed}/last.keras" for seed in range(members))]
        server = " --split test --out FOLDER, for the server" if members == 3 else ""
        what = f"COCO {'test-dev' if server else 'val'}, ResNet-101, {row}, mAP@.5 / @[.5, .95]"
        scored = f"{SCORED.format(' '.join(models))} --data DIR --rows {row}{server}"
        yield Claim("Table 9", what, paper, " && ".join([*commands, scored]))
    for year, paper in {"07": "85.6", "12": "83.8"}.items():
        sets = "--train 07+12 --test 07" if year == "07" else "--train 07++12 --test none"
        test = "voc2007" if year == "07" else "voc2012 --split test --out FOLDER, for the server"
        folder = f"runs/voc{year}-from-coco"
        command = DETECTORS["voc"].replace("{}:imagenet", "{}").format("runs/coco-context0/last.keras", folder)
        yield Claim("Table 10" if year == "07" else "Table 11", f"VOC {year}, from a COCO detector, mAP", paper,
                    f"{context.format(0)} && {command} {sets} && {SCORED.format(f'{folder}/last.keras')} "
                    f"--data VOCdevkit --rows multi-scale --benchmark {test}")  # fmt: skip
    det = DETECTORS["det"].format("ResNet101", "runs/det{0}") + " --context --seed {0}"
    for members, paper in ((1, "60.5 (test 58.8)"), (3, "63.6 (test 62.1)")):
        commands = " && ".join(det.format(seed) for seed in range(members))
        models = " ".join(f"runs/det{seed}/last.keras" for seed in range(members))
        scored = f"{SCORED.format(models)} --benchmark det --data ILSVRC_DIR"
        row, plural = ("ensemble", "s") if members > 1 else ("multi-scale", "")
        yield Claim("Table 12", f"ImageNet DET val2, {members} network{plural}, mAP", paper,
                    f"{commands} && {scored} --rows {row}")  # fmt: skip
    yield from _localization()


def _localization():
    """Three networks make an ensemble here; the server of Table 14 takes the files of its row."""
    rows = [("Table 13", name, row.paper) for name, row in ROWS.items() if row.paper]
    for where, name, paper in [*rows, ("Table 14", "ensemble", "9.0")]:
        row = ROWS[name]
        folders = [f"runs/localization{seed}" for seed in range(3 if row.ensemble else 1)]
        trained = [LOCALIZED.format(seed, folder) for seed, folder in enumerate(folders)]
        networks = [("rpn", [f"{folder}/rpn/last.keras" for folder in folders])]
        networks += [("rcnn", [f"{folder}/rcnn/last.keras" for folder in folders])] if row.rescored else []
        networks += [("classifier", LOCALIZERS[: 2 if row.ensemble else 1])] if row.top > 1 else []
        given = " ".join(f"--{kind} {' '.join(files)}" for kind, files in networks)
        test = " --split test --out FOLDER, for the server" if where == "Table 14" else ""
        tested = f"python tools/evaluate_localization.py {given} --data ILSVRC_DIR --rows {name}{test}"
        what = f"ImageNet localization {'test' if test else 'val'}, {row.words}, error"
        yield Claim(where, what, paper, " && ".join([*trained, tested]))


def _questions():
    """The questions that the paper leaves open, which have no value in the paper."""
    yield Claim("Question 1: convergence, conditioning", "docs/theory.md", "", "python -m pytest tests/theory")
    limits = "python -m pytest tests/theory/test_limits.py"
    yield Claim("Question 3: limits of Eqn. (1)", "counter-examples", "", limits)
    for instrument, what, source in INSTRUMENTS:
        for name in ("PlainNet20", "ResNet20"):
            yield Claim(what[0], f"{name}, {what[1]}", "",
                        ANALYZE.format(instrument, DEGRADATION.format(name)), source.format(name))  # fmt: skip
    for measure in ("mean", "std", "best"):
        yield Claim("Question 6: several runs", f"ResNet-20, five runs, validation error: {measure}", "",
                    STUDY.format("seeds"), f"study-seeds.json/arms/ResNet20/val_error/{measure}")  # fmt: skip
    for name, words in STUDIES.items():
        yield Claim(words, "compared, with intervals", "", STUDY.format(name), f"study-{name}.json/comparisons")
    for data, batch, depths in (("imagenet", 8, (34, 50, 101, 152)), ("cifar", 32, (20, 56, 110, 1202))):
        for depth in depths:
            name = f"ResNet{depth}"
            measure = COST.format(name, batch)
            source = f"cost-{data}.json/cost/{name}/measured"
            yield Claim("Question 10: memory", f"ResNet-{depth}, peak of a step of {batch}, GiB", "", measure,
                        f"{source}/peak", 2**-30)  # fmt: skip
            yield Claim("Question 10: wall-clock", f"ResNet-{depth}, s a step of {batch}", "", measure,
                        f"{source}/seconds")  # fmt: skip
    for name in ("ResNet34", "ResNet50", "ResNet101", "ResNet152"):
        for shortcut in ("A", "B", "C"):
            source = f"cost-shortcuts.json/cost/{name} shortcut={shortcut}/kept_per_image"
            yield Claim("Question 11: identity against projection",
                        f"{name}, {shortcut}, kept for the backward pass, MiB an image", "",
                        f"python tools/analyze.py cost --model {name} --shortcuts A B C", source, 2**-20)  # fmt: skip
    for name in ("PlainNet56", "ResNet56"):
        for stage in ("conv1", "conv4"):
            yield Claim("Question 12: dynamics", f"{name}, gradient norm of {stage} at the last checkpoint", "",
                        f"python tools/analyze.py training --workdir runs/studies/degradation/{name}-seed0",
                        f"training-{name}.json/last/{stage}")  # fmt: skip


def markdown(results: Path) -> str:
    """The text of docs/paper.md, from the files in the folder ``results``."""
    lines = [
        "# The paper, table by table, and the questions it leaves open",
        "",
        "`python tools/paper_map.py` makes this page from `docs/results/`: the paper's value, ours, and the command.",
        'Errors are in percent. "Not run" means that the command exists, but its data or the time for it did not.',
        "The questions are those of [questions.md](questions.md).",
        "",
    ]
    table = Table("paper", ("where", "what", "paper", "here", "command"), right_aligned=False)
    for claim in claims():
        command = f"`{claim.command}`" if claim.command else "not built yet"
        table.rows.append((claim.where, claim.what, claim.paper, _ours(claim, results), command))
    return "\n".join([*lines, table.markdown()]) + "\n"


def _ours(claim: Claim, results: Path) -> str:
    file, *keys = claim.source.split("/")
    path = results / file
    if "pytest" in claim.command:
        return "checked by the tests"
    if not file or not path.exists():
        return "not run"
    value = whole = json.loads(path.read_text())
    for key in keys:
        if value is None or key not in value:
            return "not run"
        value = value[key]
    if value is None or value == []:
        return "not run"
    note = length(whole) if "study" in whole else claim.note
    link = f"[result](results/{file}){note and '; '}{note}"
    if isinstance(value, list):  # a study's comparisons
        words = [f"{e['first']} - {e['second']} {e['difference']:+.2f}: {e['words'].split(';')[0]}" for e in value]
        return f"{'; '.join(words)} ({link})"
    if not isinstance(value, (int, float)):
        raise InputError(f"{claim.source} is not a number but {type(value).__name__}.")
    return f"{value * claim.scale:.4g} ({link})"
