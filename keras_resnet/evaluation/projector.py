"""Files of embeddings for TensorBoard's projector, which shows them as points in three dimensions."""

from pathlib import Path

import numpy as np
from PIL import Image

from keras_resnet.data.splits import evenly_spaced
from keras_resnet.data.viewing import small_picture
from keras_resnet.errors import InputError
from keras_resnet.evaluation.embeddings import Embeddings
from keras_resnet.files import check_all_replaceable

MAX_POINTS = 10_000
THUMBNAIL, MAX_SPRITE = 48, 8192  # pixels: a photo's side, and that of the sheet of all photos
VECTORS, METADATA, SPRITE, CONFIG = "features.tsv", "metadata.tsv", "photos.png", "projector_config.pbtxt"
COLUMNS = "class\tpart\tphoto"  # of METADATA, which is written first and so tells whose the other files are


def write_projector(embeddings: Embeddings, folder: Path) -> int:
    """Write a projector view of ``embeddings`` into ``folder``, a log folder, and return its number of photos.

    Of more than 10,000 photos, 10,000 evenly spaced ones are shown, as pictures if all of them are files.

    Raises:
        InputError: the folder cannot be created, or has files of something else that would be replaced.
    """
    from tensorboard.plugins import projector

    check_all_replaceable(folder / METADATA, COLUMNS, (VECTORS, SPRITE, CONFIG))
    chosen = evenly_spaced(len(embeddings), MAX_POINTS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}): choose another folder.") from error
    rows = [(embeddings.classes[embeddings.labels[i]], embeddings.parts[i], embeddings.photos[i]) for i in chosen]
    lines = ["\t".join(str(cell).replace("\t", " ").replace("\n", " ") for cell in row) for row in rows]
    text = "\n".join([COLUMNS, *lines]) + "\n"
    (folder / METADATA).write_text(text, encoding="utf-8", errors="backslashreplace")
    np.savetxt(folder / VECTORS, embeddings.features[chosen].astype(np.float32), "%.4g", "\t")
    config = projector.ProjectorConfig()
    shown = config.embeddings.add(tensor_name=embeddings.model, tensor_path=VECTORS, metadata_path=METADATA)
    files = [Path(str(embeddings.photos[i])) for i in chosen]
    if all(file.is_file() for file in files):
        side = _write_sprite(files, folder / SPRITE)
        shown.sprite.image_path = SPRITE
        shown.sprite.single_image_dim.extend([side, side])
    projector.visualize_embeddings(str(folder), config)
    return len(chosen)


def _write_sprite(files: list[Path], path: Path) -> int:
    """Write the photos row by row on a square sheet, as the projector reads it; returns the side of each."""
    in_a_row = int(np.ceil(np.sqrt(len(files))))
    side = min(THUMBNAIL, MAX_SPRITE // in_a_row)
    sheet = Image.new("RGB", (in_a_row * side, in_a_row * side))
    for number, file in enumerate(files):
        photo = small_picture(file.read_bytes(), 2 * side)
        sheet.paste(photo.resize((side, side)), (number % in_a_row * side, number // in_a_row * side))
    sheet.save(path)
    return side
