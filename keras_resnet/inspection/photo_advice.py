"""Sentences about the photos of a data set: what was found, and what to do about it."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import beta

from keras_resnet.inspection.photo_rows import Photos
from keras_resnet.wording import are, counted, named

SEEN = 224  # pixels: the side of the network's input
UNEQUAL = 3  # times as many photos as the smallest class has
FEW, FEW_IN_ALL = 20, 5000  # photos of a class and in all, below which training from nothing learns little
FEW_VALIDATION = 10  # validation photos of a class
LONG = 2.5  # longer over shorter side, beyond which the centre view hides half of the photo
COMMON = 0.1  # of the photos, from which a property is worth a sentence


def advice_on(photos: Photos) -> list[str]:
    """Sentences, the most important first."""
    return [*_on_leaks(photos), *_on_copies(photos), *_on_classes(photos), *_on_files(photos), *_on_looks(photos)]


def _on_leaks(photos: Photos) -> Iterator[str]:
    leaks = (("in training too", photos.copies.exact), ("almost the same as a training photo", photos.copies.near))
    for what, groups in leaks:
        in_both = [group for group in groups if len(np.unique(photos.parts[group] == "train")) > 1]
        across = [i for group in in_both for i in group if photos.parts[i] != "train"]
        if across:
            yield (
                f"{counted(len(across), 'photo')} of validation or test {are(len(across))} {what}, such as "
                f"{photos.names[across[0]]}: the error will look lower than it is. Keep all copies in one part."
            )


def _on_copies(photos: Photos) -> Iterator[str]:
    exact, near = photos.copies.exact, photos.copies.near
    for what, groups in (("copies", exact), ("almost the same photos", near)):
        torn = [group for group in groups if len(np.unique(photos.labels[group])) > 1]
        if torn:
            yield (
                f"{counted(len(torn), 'group')} of {what} under different labels, such as {_pair(photos, torn[0])}: "
                "decide which label is right."
            )
    extra = sum(len(group) - 1 for group in exact)
    if extra:
        yield f"Extra copies: {extra:,}, such as {_pair(photos, exact[0])}: keep one of each."
    if near:
        yield (
            f"{counted(len(near), 'group')} of almost the same photos, such as {_pair(photos, near[0])}: look at them "
            "below, and keep in one part what was taken in one moment."
        )


def _on_classes(photos: Photos) -> Iterator[str]:
    names, train, validation = photos.classes, photos.counts["train"], photos.counts["val"]
    largest, smallest = int(train.argmax()), int(train.argmin())
    if train[largest] >= UNEQUAL * max(train[smallest], 1):
        yield (
            f"{names[largest]} has {train[largest]:,} training photos and {names[smallest]} {train[smallest]:,}: a "
            "network that hardly ever answers with rare classes has a low error all the same. Look at the errors by "
            "class, try --balance sampling, and take more photos of the rare ones."
        )
    few = [names[i] for i in np.flatnonzero(train < FEW)]
    if few:
        yield f"There are fewer than {FEW} training photos of {named(few)}: take more."
    if train.sum() < FEW_IN_ALL:
        yield (
            f"{train.sum():,} training photos are few to learn from nothing: fine-tune a trained network, "
            "python recipes/finetune.py --model ResNet50:imagenet."
        )
    rarely = np.flatnonzero(validation < FEW_VALIDATION)
    if len(rarely):
        count = max(int(validation[rarely].max()), 1)
        most = float(beta.ppf(0.975, 1, count))  # Clopper and Pearson's bound where none is wrong
        yield (
            f"There are fewer than {FEW_VALIDATION} validation photos of {named([names[i] for i in rarely])}: even if "
            f"all {count} of a class are right, its error may be {most:.0%}. "
            "Of photos without a split of their own, five runs with --folds 5 judge every one."
        )


def _on_files(photos: Photos) -> Iterator[str]:
    for files in photos.left_out:
        if files.bad:
            yield f"{counted(files.count, 'file')} cannot be decoded, such as {files.example}: repair or delete them."
    others = [str(files) for files in photos.left_out if not files.bad]
    if others:
        yield f"Left out are {'; '.join(others)}."


def _on_looks(photos: Photos) -> Iterator[str]:
    facts = photos.facts
    shorter, longer = np.minimum(facts.heights, facts.widths), np.maximum(facts.heights, facts.widths)
    small = float((shorter < SEEN).mean())
    if small > COMMON:
        side = int(np.median(shorter)) // 32 * 32 or 32
        way_out = f"--image-size {side} fits them and is faster" if side < SEEN else "take larger ones if there are any"
        yield (
            f"{small:.0%} of the photos have fewer than {SEEN} pixels along their shorter side and would be enlarged: "
            f"{way_out}."
        )
    long = int((longer > LONG * np.maximum(shorter, 1)).sum())
    if long:
        yield (
            f"{counted(long, 'photo')} {are(long)} more than {LONG} times as long as wide, and tests see the square "
            "in the middle alone: cut to what matters."
        )
    if facts.turned.any():
        example = photos.names[int(facts.turned.argmax())]
        yield f"EXIF turns {facts.turned.sum():,} of the photos, such as {example}: they are seen upright."
    masked = np.char.endswith(facts.kinds, "A")  # RGBA and LA
    if masked.any():
        yield (
            f"{counted(int(masked.sum()), 'photo')} with a transparency or mask channel, such as "
            f"{photos.names[int(masked.argmax())]}: seen on white, and the channel is not an input."
        )
    count = np.maximum(np.bincount(photos.labels, minlength=len(photos.classes)), 1)
    share = np.bincount(photos.labels, facts.grey, len(photos.classes)) / count
    odd = np.flatnonzero((share > 0.5) & (np.median(share) < COMMON))
    if len(odd):
        yield (
            f"Most photos of {named([photos.classes[i] for i in odd])} are grey, and those of other classes are not: "
            "the network may learn that instead of the class."
        )


def _pair(photos: Photos, group: list[int]) -> str:
    return " and ".join(photos.names[i] for i in group[:2])
