from .by_class import (
    ByClass as ByClass,
    ClassResult as ClassResult,
    Confusion as Confusion,
    Share as Share,
    similar_order as similar_order,
    write_matrix as write_matrix,
)
from .calibration import (
    Reliability as Reliability,
    at_temperature as at_temperature,
    fit_temperature as fit_temperature,
    reliability as reliability,
)
from .class_report import ClassReport as ClassReport, check_folder as check_folder, report_of as report_of
from .class_words import in_words as in_words
from .classifier import (
    classifier_of as classifier_of,
    dense_scores as dense_scores,
    input_size as input_size,
    last_map as last_map,
    pooled_window as pooled_window,
    with_activation as with_activation,
)
from .embeddings import (
    Embeddings as Embeddings,
    embed_split as embed_split,
    embedder as embedder,
    k_nn_error as k_nn_error,
    linear_probe as linear_probe,
    linear_probe_error as linear_probe_error,
    near_copies as near_copies,
    nearest as nearest,
    read_embeddings as read_embeddings,
)
from .ensemble import Ensemble as Ensemble, greedy as greedy, joint as joint
from .error_rates import (
    ErrorRate as ErrorRate,
    TopKErrorRate as TopKErrorRate,
    check_classes as check_classes,
    check_finite as check_finite,
    evaluate as evaluate,
)
from .label_quality import (
    LabelCheck as LabelCheck,
    LabelRanking as LabelRanking,
    check_ranking as check_ranking,
    out_of_fold as out_of_fold,
    rank_labels as rank_labels,
)
from .projector import write_projector as write_projector
from .recalibration import recalibrate_batch_norm as recalibrate_batch_norm
from .scoring import (
    Estimate as Estimate,
    Scores as Scores,
    cached_scores as cached_scores,
    check_model as check_model,
    score as score,
)
from .views import VIEWS as VIEWS, View as View, at_shorter_side as at_shorter_side
