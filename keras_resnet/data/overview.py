"""What a data set holds, in words, before a run begins: photos by class and part, and what was left out and why."""

import numpy as np

from keras_resnet.data.gathering import content_keys, joined
from keras_resnet.data.splits import PARTS, Data, LeftOut, Split
from keras_resnet.errors import InputError
from keras_resnet.tables import Table
from keras_resnet.wording import are, counted, named

MAX_LISTED = 20  # classes
MAX_COMPARED = 20_000  # photos of a part whose contents are compared before a run; tools/inspect_data.py has no limit


def opened_parts(data: Data) -> dict[str, Split]:
    """All parts there are, by the names of ``Data``.

    Raises:
        InputError: parts that cannot be used, all of them at once; or photos of one class alone.
    """
    parts, problems = {}, []
    for name in data.openers:
        try:
            parts[name] = getattr(data, name)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError(" ".join(dict.fromkeys(problems)))
    if len(data.classes) < 2:
        raise InputError(f"All photos of {data.name} are of one class, {data.classes[0]}: a classifier needs two.")
    return parts


def check_in_files(data: Data) -> None:
    """Raise :class:`InputError` unless the photos of all parts are in files of their own, as those of records are not.

    Parts that cannot be used are refused as by :func:`opened_parts`.
    """
    if any(split.files is None for split in opened_parts(data).values()):
        raise InputError(f"{data.name} has no photos in files of their own: give a folder or a list of photos.")


def left_out_of(data: Data) -> tuple[LeftOut, ...]:
    """What was found in ``data`` and is not used."""
    return joined([*(files for part in opened_parts(data).values() for files in part.left_out), *data.left_out])


def check_strictly(data: Data) -> None:
    """Raise :class:`InputError` if photos of ``data`` were left out because they do not decode."""
    bad = [files for files in left_out_of(data) if files.bad]
    if bad:
        raise InputError(f"--strict: {data.name} has {bad[0]}: repair or remove them, or leave out --strict.")


def overview(data: Data) -> str:
    """Lines of what ``data`` holds: a table of classes, then a line for each thing that its owner should know."""
    parts = opened_parts(data)
    sizes = ", ".join(f"{len(split):,} in {PARTS[name]}" for name, split in parts.items())
    lines = [f"{data.name}: {len(data.classes):,} classes; photos: {sizes}"]
    counts = {name: counts_of(split, len(data.classes)) for name, split in parts.items() if split.files is not None}
    if counts:
        lines += ["", _table(data, counts), ""]
        lines += remarks(data, counts)
    lines += [f"left out: {left_out}" for left_out in left_out_of(data)]
    return "\n".join(lines)


def counts_of(split: Split, classes: int) -> np.ndarray:
    """How many photos each class has, of photos in files of their own."""
    return np.bincount(np.zeros(0, int) if split.files is None else split.files["directory"], minlength=classes)


def remarks(data: Data, counts: dict[str, np.ndarray]) -> list[str]:
    """Sentences about classes that a part lacks, few photos and copies."""
    sentences = []
    absent = {name: [data.classes[i] for i in np.flatnonzero(numbers == 0)] for name, numbers in counts.items()}
    for name, classes in absent.items():
        if classes and name == "train":
            sentences.append(f"no photo of {named(classes)} is left to learn from")
        elif classes:
            sentences.append(
                f"{PARTS[name]} has no photo of {named(classes)}: how often that is recognised stays unknown"
            )
    few = [data.classes[i] for i in np.flatnonzero(counts["train"] == 1)]
    if few:
        sentences.append(f"train has one photo of {named(few)}")
    for name in ("validation", "test"):
        both = copies_in_training(data, name)
        if both is None:
            sentences.append(
                f"more than {MAX_COMPARED:,} photos of train or {PARTS[name]} have the size of a file of the other: "
                "whether photos are in both was not checked; tools/inspect_data.py does"
            )
        elif both:
            sentences.append(
                f"{counted(len(both), 'photo')} of {PARTS[name]} {are(len(both))} in train too, such as {both[0]}: the "
                "error will look lower than it is; tools/inspect_data.py lists them"
            )
    return sentences


def copies_in_training(data: Data, name: str) -> list[str] | None:
    """The photos of the part called ``name`` whose files are in the training part too.

    Contents are compared where sizes are equal; None if a part has more than ``MAX_COMPARED`` such photos.
    """
    part = getattr(data, name)
    parts = [(s.folder, s.files) for s in (data.train, part) if s and s.folder is not None and s.files is not None]
    if len(parts) < 2:
        return []
    keys = []
    for (folder, files), (_, other) in zip(parts, reversed(parts), strict=True):
        same_size = np.flatnonzero(np.isin(files["size"], other["size"]))
        if len(same_size) > MAX_COMPARED:
            return None
        keys.append((same_size, content_keys(folder, files[same_size])))
    (_, of_train), (positions, of_part) = keys
    return [part.photo(int(i)) for i in positions[np.isin(of_part, of_train)]]


def _table(data: Data, counts: dict[str, np.ndarray]) -> str:
    table = Table("photos", ("class", *(PARTS[name] for name in counts)))
    order = np.arange(len(data.classes))
    if len(order) > MAX_LISTED:
        order = np.argsort(counts["train"], kind="stable")
        table.rows.append((f"the {MAX_LISTED} smallest of {len(order):,}:", *("" for _ in counts)))
    for number in order[:MAX_LISTED]:
        table.rows.append((data.classes[number], *(f"{numbers[number]:,}" for numbers in counts.values())))
    rest = order[MAX_LISTED:]
    if len(rest):
        spans = (f"{numbers[rest].min():,} to {numbers[rest].max():,}" for numbers in counts.values())
        table.rows.append((f"{len(rest):,} others", *spans))
    return table.aligned()
