"""Photos that are in a data set more than once: the same file, or pictures that look the same."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_resnet.data.gathering import content_of
from keras_resnet.inspection.facts import PhotoFacts

BITS, BANDS = 64, 5  # hashes that differ in four bits have one of five bands in common
MAX_DIFFERENT = 4  # bits
MIN_ALIKE = 0.98  # correlation of small pictures
MIN_DEVIATION = 4.0  # standard deviation of grey values, below which all pictures look alike
MAX_RUN = 2000  # photos that share a band, beyond which not all pairs are looked at


@dataclass(frozen=True)
class Copies:
    """Groups of positions of photos.

    Fields:
        exact: of files with the same content.
        near: of pictures that look the same and are not all one file.
    """

    exact: list[list[int]]
    near: list[list[int]]


def find_copies(files: Sequence[str], keys: np.ndarray, facts: PhotoFacts) -> Copies:
    """Which of the photos are copies.

    Args:
        files: of the photos.
        keys: of :func:`keras_resnet.data.gathering.content_keys`; whole files are compared where these are equal.
        facts: of the photos.
    """
    by_content: dict[str, list[int]] = defaultdict(list)
    _, key_index, counts = np.unique(keys, return_inverse=True, return_counts=True)
    for position in np.flatnonzero(counts[key_index] > 1).tolist():
        by_content[content_of(files[position])].append(position)
    exact = [group for group in by_content.values() if len(group) > 1]
    content = np.arange(len(files))
    for group in exact:
        content[group] = group[0]
    near = [group for group in near_groups(facts) if len(np.unique(content[group])) > 1]
    return Copies(exact, near)


def near_groups(facts: PhotoFacts) -> list[list[int]]:
    """Groups of positions of photos that look the same, each photo like another of its group.

    Photos that are in one group already are not compared again: the pairs among thousands of alike ones are millions.
    """
    thumbs = facts.thumbs.reshape(len(facts.thumbs), -1).astype(np.float32)
    usable = np.flatnonzero((facts.heights > 0) & (thumbs.std(axis=1) > MIN_DEVIATION))
    thumbs -= thumbs.mean(axis=1, keepdims=True)
    thumbs /= np.maximum(np.linalg.norm(thumbs, axis=1, keepdims=True), 1e-6)
    group = np.arange(len(thumbs))
    edges = np.linspace(0, BITS, BANDS + 1).round().astype(int)
    for low, high in itertools.pairwise(edges.tolist()):
        band = (facts.hashes[usable] >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        order = np.argsort(band, kind="stable")
        band, positions = band[order], usable[order]
        for offset in range(1, min(MAX_RUN, len(band))):
            same = np.flatnonzero(band[offset:] == band[:-offset])
            if not len(same):
                break
            one, other = positions[same], positions[same + offset]
            apart = group[one] != group[other]
            one, other = one[apart], other[apart]
            close = np.bitwise_count(facts.hashes[one] ^ facts.hashes[other]) <= MAX_DIFFERENT
            one, other = one[close], other[close]
            alike = (thumbs[one] * thumbs[other]).sum(axis=1) >= MIN_ALIKE
            if alike.any():
                group = _merged(group, one[alike], other[alike])
    by_group: dict[int, list[int]] = defaultdict(list)
    for position in np.flatnonzero(np.bincount(group, minlength=len(group))[group] > 1).tolist():
        by_group[int(group[position])].append(position)
    return list(by_group.values())


def _merged(group: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """``group`` ``[photos]`` after the groups of photos ``one[i]`` and ``other[i]`` have become one, for every i."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(one), bool), (group[one], group[other])), shape=(len(group), len(group)))
    return connected_components(links, directed=False)[1][group]
