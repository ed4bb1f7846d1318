"""Names for the scores of ImageNet networks."""

import keras
import numpy as np

from keras_resnet.errors import InputError


def decode_predictions(p: "np.typing.ArrayLike", top: int = 5) -> list[list[tuple[str, str, float]]]:
    """The ``top`` highest (wnid, name, score) of each row of ``p``, scores ``[batch, 1000]`` in ImageNet's class order.

    The names are those of Keras' class index, which is downloaded once and checked by its published hash.

    Raises:
        InputError: ``p`` is not ``[batch, 1000]``, ``top`` is not from 1 to 1000, or the download failed.
    """
    p = np.asarray(p)
    if p.ndim != 2 or p.shape[1] != 1000:
        raise InputError(f"decode_predictions takes the 1,000 ImageNet scores, [batch, 1000], not shape {p.shape}.")
    if not 1 <= top <= 1000:
        raise InputError(f"top {top} must be from 1 to 1000.")
    try:
        return keras.applications.imagenet_utils.decode_predictions(p, top=top)
    except Exception as error:
        if "fetch failure" not in str(error):
            raise
        raise InputError(f"The class names could not be downloaded: {error}.") from error
