"""Folders given as --workdir: those of other programs, damaged runs, and runs that change during the process."""

from hostile_checkpoints import (
    all_damaged,
    another_network,
    checkpoints_gone,
    copied_checkpoint,
    damaged_state,
    damaged_variables,
    foreign_state,
    foreign_variables,
)
from hostile_run_files import (
    changed_settings,
    cut_curves,
    damaged_curves,
    damaged_lines,
    damaged_lock_or_marker,
    damaged_settings,
    other_kind_in_place,
    run_of_before,
    unfinished_files,
)
from hostile_run_parts import Draw
from hostile_workdirs import (
    deleted_in_mid_run,
    empty_workdir,
    files_of_others_in_a_run,
    finished_run_asked_again,
    folder_of_others,
    recipe_on_a_folder_of_others,
    special_files_of_others,
)
from watching import Case, distinct

PROMISE = "other files refused and left alone; a run with a whole checkpoint goes on from it"


def cases(seed: int, count: int) -> list[Case]:
    """``count`` cases with different names, evenly from all kinds as long as they have more."""
    return distinct(KINDS, Draw(seed), count)


KINDS = (
    folder_of_others, special_files_of_others, files_of_others_in_a_run, unfinished_files, damaged_settings,
    changed_settings, damaged_curves, damaged_lines, cut_curves, damaged_state, foreign_state, damaged_variables,
    foreign_variables, another_network, copied_checkpoint, all_damaged, other_kind_in_place, checkpoints_gone,
    damaged_lock_or_marker, run_of_before, deleted_in_mid_run, empty_workdir, recipe_on_a_folder_of_others,
    finished_run_asked_again,
)  # fmt: skip
