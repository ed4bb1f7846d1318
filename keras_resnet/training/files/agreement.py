"""Whether a run goes on from what its folder holds, and with its settings; needs neither Keras nor TensorFlow."""

from pathlib import Path

from keras_resnet.errors import InputError
from keras_resnet.files import object_or_none
from keras_resnet.training.files.checkpoints import CheckpointFolder

SETTINGS, RESULT, CHECKPOINTS = "settings.json", "result.json", "checkpoints"
LENGTHS = ("steps", "epochs")  # of a run, which may grow
MAY_CHANGE = (  # settings, when a run continues
    *("workdir", "data_dir", "save_every", "keep_every", "profile", "strict", "track"),
)
MAX_LISTED, MAX_VALUE = 8, 60  # settings that a message lists, and characters of a value


def differing(before: dict, settings: dict, defaults: dict) -> dict[str, tuple]:
    """The settings that differ, by name, as pairs of the value before and now.

    A setting that the earlier version did not know counts as at its default, or as unchanged if its default is None.
    A setting that this version does not know has changed, unless it was None.
    """
    changed = {}
    for key, value in before.items():
        if key not in settings and key not in MAY_CHANGE and value is not None:
            changed[key] = (value, "unknown to this version")
    for key, value in settings.items():
        unknown = value if defaults.get(key) is None else defaults[key]
        if key not in MAY_CHANGE and before.get(key, unknown) != value:
            changed[key] = (before.get(key, unknown), value)
    return changed


def check_agreement(path: Path, changed: dict[str, tuple], growing: tuple[str, ...]) -> None:
    """Raise :class:`InputError` if settings have ``changed`` for the run in ``path``; ``growing`` ones may grow."""
    other = [key for key, (old, new) in changed.items() if key not in growing or not _grows(old, new)]
    if other:
        named = [
            f"{key} was {changed[key][0]!s:.{MAX_VALUE}} and is {changed[key][1]!s:.{MAX_VALUE}}"
            for key in other[:MAX_LISTED]
        ]
        named += [f"and {len(other) - MAX_LISTED} more"] if len(other) > MAX_LISTED else []
        raise InputError(
            f"{path} holds a run of other settings ({'; '.join(named)}): give those settings, or another --workdir."
        )


def check_earlier(path: Path, settings: dict, defaults: dict) -> None:
    """Raise :class:`InputError` early if ``path`` holds a run of other settings.

    Settings that are None, and flags that are not set, may be filled in later. Files that are missing, damaged or of
    different runs prove nothing. The folder itself is checked when the run starts.
    """
    before = _settings_at_checkpoint(path) or _settings_of_result(path)
    if before:
        changed = differing(before, settings, defaults)
        given = {key: pair for key, pair in changed.items() if pair[1] is not None and pair[1] is not False}
        check_agreement(path, given, LENGTHS)


def goes_on(folder: Path) -> bool:
    """Whether the run in ``folder`` goes on from a checkpoint; one of step 0 alone starts again, and loses nothing."""
    return any(CheckpointFolder(folder / CHECKPOINTS).steps())


def _settings_at_checkpoint(path: Path) -> dict | None:
    """Those of the newest checkpoint; None if the run does not go on from one."""
    return (CheckpointFolder(path / CHECKPOINTS).about_run() or {}).get("settings") if goes_on(path) else None


def _settings_of_result(path: Path) -> dict | None:
    before, result = (object_or_none(path / name) for name in (SETTINGS, RESULT))
    return before if result is not None and result.get("settings") == before else None


def _grows(before, now) -> bool:
    return all(isinstance(value, int | float) for value in (before, now)) and now >= before
