"""The paper's values and the review's points: which command answers each, and what it gave here (docs/paper.md)."""

import json
from dataclasses import dataclass
from pathlib import Path

from keras_resnet.errors import InputError
from keras_resnet.studies.report import length

IMAGENET = "python recipes/imagenet.py --data DIR --model {}"
CIFAR = "python recipes/cifar10.py --data-dir DIR --model {}"
TESTED = "python tools/evaluate.py --model {} --data DIR --view {}"
STUDY = "python recipes/studies/{}.py --data-dir DIR"
ANALYZE = "python tools/analyze.py {}"
WEIGHTS = ("resnet20-12fca82f", "resnet56-4bfd9763")  # trained CIFAR networks of akamaster/pytorch_resnet_cifar10
FOUR = ("PlainNet20", "PlainNet56", "ResNet20", "ResNet56")
FIGURE_7 = {  # the file of the result, and what its networks have learned
    ("responses", "weights after 640 steps of 32"): (*FOUR, "ResNet110"),
    ("responses-3200", "weights after 3,200 steps of 128"): FOUR,
    ("responses", "weights of another project, trained in full"): WEIGHTS,
}

TABLE_2 = {"PlainNet18": 27.94, "PlainNet34": 28.54, "ResNet18": 27.88, "ResNet34": 25.03}  # option A, 10-crop top-1
TABLE_3 = {  # 10-crop, top-1 / top-5
    "PlainNet34": "28.54 / 10.02",
    "ResNet34 --shortcut A": "25.03 / 7.76",
    "ResNet34 --shortcut B": "24.52 / 7.46",
    "ResNet34 --shortcut C": "24.19 / 7.40",
    "ResNet50": "22.85 / 6.71",
    "ResNet101": "21.75 / 6.05",
    "ResNet152": "21.43 / 5.71",
}
TABLE_4 = {
    "ResNet34 B": "21.84 / 5.71",
    "ResNet34 C": "21.53 / 5.60",
    "ResNet50": "20.74 / 5.25",
    "ResNet101": "19.87 / 4.60",
    "ResNet152": "19.38 / 4.49",
}
TABLE_6 = {20: "8.75", 32: "7.51", 44: "7.17", 56: "6.97", 110: "6.43 (6.61 ± 0.16)", 1202: "7.93"}
MULTIPLY_ADDS = {18: "1.8", 34: "3.6", 50: "3.8", 101: "7.6", 152: "11.3"}
PAPER_ERRORS = {
    **{("cifar10", f"ResNet{depth}"): f"{error} (Table 6)" for depth, error in TABLE_6.items()},
    **{("imagenet2012", name): f"{error} (Table 2, 10-crop)" for name, error in TABLE_2.items()},
    ("imagenet2012", "ResNet50"): "22.85 (Table 3, 10-crop)",
    ("imagenet2012", "ResNet101"): "21.75 (Table 3, 10-crop)",
    ("imagenet2012", "ResNet152"): "21.43 (Table 3, 10-crop)",
}


@dataclass(frozen=True)
class Claim:
    """A table's row, a figure, or a point of the review.

    Fields:
        where: table, figure or point.
        what: of which network, in which unit.
        paper: the paper's value; empty where the paper has none.
        command: what answers it; empty where nothing does yet.
        source: file below ``docs/results`` and keys into it, ``"file.json/key/key"``; empty where it was not run.
        scale: what our number is multiplied by.
        note: how our number differs from what was asked.
    """

    where: str
    what: str
    paper: str
    command: str
    source: str = ""
    scale: float = 1.0
    note: str = ""


def claims() -> list[Claim]:
    """Every table and figure of the paper, and every point of the review's sections 4 and 5."""
    return [*_tables(), *_figures(), *_detection(), *_review()]


def _tables():
    for depth, paper in MULTIPLY_ADDS.items():
        source = f"cost-imagenet.json/cost/ResNet{depth}/multiply_adds"
        yield Claim("Table 1", f"ResNet-{depth}, 10⁹ multiply-adds", paper, "python tools/table1.py", source, 1e-9)
    for name, paper in TABLE_2.items():
        yield Claim("Table 2", f"{name}, A, 10-crop top-1 error", f"{paper}", IMAGENET.format(f"{name} --shortcut A"))
    for name, paper in TABLE_3.items():
        yield Claim("Table 3", f"{name}, 10-crop top-1 / top-5", paper, TESTED.format("RUN/best.keras", "10-crop"))
    for name, paper in TABLE_4.items():
        yield Claim("Table 4", f"{name}, multi-scale", paper, TESTED.format("RUN/best.keras", "multi-scale"))
    yield Claim("Table 5", "six networks, top-5 on the test set", "3.57", TESTED.format("A B C D E F", "multi-scale"))
    short = "8,000 of 64,000 steps; first 1,000 test images"
    for depth, paper in TABLE_6.items():
        ours = {"source": "cifar10-resnet20-8000.json/test_error", "note": short} if depth == 20 else {}
        yield Claim("Table 6", f"ResNet-{depth}, CIFAR-10 test error", paper, CIFAR.format(f"ResNet{depth}"), **ours)
    yield Claim("Table 6", "ResNet-110, five runs", "6.61 ± 0.16", STUDY.format("seeds") + " --arms ResNet110")


def _figures():
    for file in ("study-degradation", "study-degradation-5000"):
        for name in FOUR:
            where, depth = ("Figs. 1, 6", "rises") if name.startswith("Plain") else ("Fig. 6", "falls")
            source = f"{file}.json/arms/{name}/train_error/mean"
            yield Claim(where, f"{name}, training error", f"{depth} with depth", STUDY.format("degradation"), source)
    yield Claim("Fig. 4", "plain and residual 18, 34 on ImageNet", "curves", IMAGENET.format("ResNet34"))
    for (file, note), names in FIGURE_7.items():
        for name in names:
            paper = "above residual" if name.startswith("Plain") else "below plain, less with depth"
            source = f"{file}.json/mean/{name}" + ("" if name in WEIGHTS else "-seed0")
            yield Claim("Fig. 7", f"{name}, mean std", paper, ANALYZE.format("responses"), source, note=note)


def _detection():
    for what, paper in {"VOC 07": "73.2, 76.4", "VOC 12": "70.4, 73.8"}.items():
        yield Claim("Table 7", f"{what}, mAP, VGG-16 and ResNet-101", paper, "python recipes/voc.py --data DIR ...")
    evaluate = "python tools/evaluate_detection.py --data DIR ..."
    for what, paper in {"baseline": "48.4 / 27.2", "+ refinement": "49.9 / 29.9", "+ context": "51.1 / 30.0",
                        "+ multi-scale": "53.8 / 32.5", "ensemble, test-dev": "59.0 / 37.4"}.items():  # fmt: skip
        yield Claim("Tables 8, 9", f"COCO, ResNet-101, {what}", paper, evaluate)
    yield Claim("Tables 10, 11", "VOC 07 and 12, from a COCO detector", "85.6, 83.8", "")
    yield Claim("Table 12", "ImageNet DET, one model, ensemble", "58.8, 62.1", "python recipes/det.py --data DIR ...")
    yield Claim("Tables 13, 14", "ImageNet localization, top-5", "8.9 (test 9.0)", "")


def _review():
    """The review's points; the paper gives no value for any of them."""
    point = "4.1, 5.1 theory"
    yield Claim(f"{point}: convergence, conditioning", "docs/theory.md", "", "python -m pytest tests/theory")
    yield Claim(f"{point}: landscape", "ResNet-20, largest eigenvalue", "", ANALYZE.format("curvature"),
                "curvature.json/top/ResNet20-seed0")  # fmt: skip
    yield Claim(f"{point}: landscape", "plain-20, largest eigenvalue", "", ANALYZE.format("curvature"),
                "curvature.json/top/PlainNet20-seed0")  # fmt: skip
    yield Claim(f"{point}: Lipschitz", "ResNet-20, largest of a block, measured", "", ANALYZE.format("lipschitz"),
                "lipschitz.json/largest/ResNet20-seed0")  # fmt: skip
    yield Claim(f"{point}: limits of Eqn. (1)", "counter-examples", "", "python -m pytest tests/theory/test_limits.py")
    for measure in ("mean", "std", "best"):
        yield Claim("5.2 several runs", f"ResNet-20, five runs, validation error: {measure}", "", STUDY.format("seeds"),
                    f"study-seeds.json/arms/ResNet20/val_error/{measure}")  # fmt: skip
    for name, words in {
        "regularization": "4.2, 5.2 regularizing 110 and 1202",
        "depth_for_width": "4.2, 5.2 width for depth",
        "shortcuts": "4.3, 5.3 shortcuts by depth",
        "placements": "4.3, 5.3 placements",
        "bottleneck": "4.3, 5.3 bottleneck at matched cost",
        "highway": "gates instead of identity",
        "warm_up": "warm-up at 110",
    }.items():
        yield Claim(words, "compared by Welch's test", "", STUDY.format(name), f"study-{name}.json/comparisons")
    for data, batch, depths in (("imagenet", 8, (34, 50, 101, 152)), ("cifar", 32, (20, 56, 110, 1202))):
        for depth in depths:
            name = f"ResNet{depth}"
            measure = ANALYZE.format(f"cost --model {name} --batch-size {batch} --measure")
            source = f"cost-{data}.json/cost/{name}/measured"
            yield Claim("4.4, 5.4 memory", f"ResNet-{depth}, peak of a step of {batch}, GiB", "", measure,
                        f"{source}/peak", 2**-30)  # fmt: skip
            yield Claim("4.4, 5.4 wall-clock", f"ResNet-{depth}, s a step of {batch}", "", measure,
                        f"{source}/seconds")  # fmt: skip
    for name in ("PlainNet56", "ResNet56"):
        for stage in ("conv1", "conv4"):
            yield Claim("5.4 dynamics", f"{name}, gradient norm of {stage} at the last checkpoint", "",
                        ANALYZE.format("training --workdir RUN"), f"training-{name}.json/last/{stage}")  # fmt: skip


def markdown(results: Path) -> str:
    """docs/paper.md, from the files in ``results``."""
    lines = [
        "# The paper and its review, point by point",
        "",
        "By `python tools/paper_map.py` from `docs/results/`: what answers each, the paper's value, and ours.",
        'Errors are in percent. "Not run" is just that: the command is there, its data or time was not.',
        "",
        "| where | what | paper | here | command |",
        "|---|---|---|---|---|",
    ]
    for claim in claims():
        command = f"`{claim.command}`" if claim.command else "not built yet"
        lines.append(f"| {claim.where} | {claim.what} | {claim.paper} | {_ours(claim, results)} | {command} |")
    return "\n".join(lines) + "\n"


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
        raise InputError(f"{claim.source} is no number but {type(value).__name__}.")
    return f"{value * claim.scale:.4g} ({link})"
