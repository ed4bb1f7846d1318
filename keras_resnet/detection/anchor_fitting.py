"""Anchors that are fitted to the boxes of a data set, by k-means on the logarithms of their sides."""

import numpy as np

from keras_resnet.detection.anchors import BASE_SIDE, STRIDE, anchor_sides, anchor_strides
from keras_resnet.detection.data.box_statistics import REACHED, SeenBoxes, anchor_overlaps
from keras_resnet.detection.detector_specs import DEFAULT_PROPOSALS, HeadName, Proposals

SCALES, RATIOS = (3, 4, 5), 3  # how many of each
ENOUGH = 0.95  # of the objects reached, above which no further scale is added
OCTAVES = (0.0, -0.5, 0.5, -1.0, 1.0, -1.5, -2.0)  # by which a pyramid's scales are moved, the usual ones first
SMALLEST = 0.5  # the smallest proposal, as a share of the shortest sides of objects
SHORTEST = 2.0  # percent: the percentile that counts as the shortest side
MAX_FITTED = 100_000  # boxes


def fit_anchors(rows: SeenBoxes, head: HeadName = "c4") -> Proposals:
    """The anchors and the smallest proposal for these boxes.

    Anchors are all pairs of a scale and a ratio, so the logarithms of size, ``sqrt(width height)``, and of ratio,
    ``width / height``, are clustered separately: these are the logarithms of the sides in rotated axes, in which the
    nearest pair is the pair of the nearest values. There are as many scales as reach 95 % of the objects,
    from 3 to 5. Objects smaller than half of the feature map's cells count as that large: no anchor overlaps
    them much.

    A pyramid has one scale for each level, each twice the one before, and only the first is fitted.

    Args:
        rows: boxes as the detector will see them; ignored ones do not count.
        head: of the detector.

    Returns:
        The head's usual proposals if there is no box to fit them to.
    """
    boxes = rows.boxes[rows.learned]
    boxes = boxes[:: -(-len(boxes) // MAX_FITTED) or 1]
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)
    if not len(sides):
        return DEFAULT_PROPOSALS[head]
    smallest = float(np.clip(np.percentile(sides.min(axis=1), SHORTEST) * SMALLEST, 1.0, Proposals.smallest))
    ratios = _means(np.log(sides[:, 0] / sides[:, 1]), RATIOS)
    if head == "fpn":
        usual = DEFAULT_PROPOSALS[head]
        ladders = [
            Proposals(tuple(float(f"{2**octave * scale:.3g}") for scale in usual.scales), ratios, usual.smallest)
            for octave in OCTAVES
        ]
        return max(ladders, key=lambda ladder: sum(reached_share(boxes, ladder, head, least) for least in REACHED))
    for count in SCALES:
        sizes = np.maximum(np.sqrt(sides.prod(axis=1)), STRIDE / 2)
        scales = _means(np.log(sizes / BASE_SIDE), count)
        proposals = Proposals(scales, ratios, round(smallest, 1))
        if reached_share(boxes, proposals, head) >= ENOUGH:
            break
    return proposals


def reached_share(boxes: np.ndarray, proposals: Proposals, head: HeadName, least: float = REACHED[0]) -> float:
    """The share of ``boxes`` ``[n, 4]`` that some anchor overlaps by ``least``; 0 without boxes."""
    overlaps = anchor_overlaps(boxes, anchor_sides(proposals), anchor_strides(proposals, head))
    return float((overlaps >= least).mean()) if len(boxes) else 0.0


def _means(logarithms: np.ndarray, count: int) -> tuple[float, ...]:
    """The cluster means of at most ``count`` clusters, back from logarithms, ascending, in two digits."""
    from sklearn.cluster import KMeans

    count = min(count, len(np.unique(logarithms)))
    means = KMeans(count, n_init=10, random_state=0).fit(logarithms[:, None]).cluster_centers_[:, 0]
    return tuple(sorted({float(np.clip(float(f"{value:.2g}"), 0.01, 100)) for value in np.exp(means)}))
