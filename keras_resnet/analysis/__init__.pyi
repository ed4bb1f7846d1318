from .activation_maps import activation_map as activation_map
from .block_jacobians import (
    conditioning as conditioning,
    jacobian_grams as jacobian_grams,
    singular_values as singular_values,
)
from .compute import multiply_adds as multiply_adds, shapes_alone as shapes_alone
from .curvature import (
    Loss as Loss,
    spectral_density as spectral_density,
    top_eigenvalues as top_eigenvalues,
    trace as trace,
)
from .gradients import (
    GradientWatch as GradientWatch,
    by_stage as by_stage,
    flow as flow,
    gradient_norms as gradient_norms,
    shattering as shattering,
    update_ratios as update_ratios,
)
from .lanczos import Spectrum as Spectrum, spectrum as spectrum
from .lesions import Lesions as Lesions
from .lipschitz_constants import layer_norms as layer_norms, lipschitz as lipschitz, local_constants as local_constants
from .loss_surface import filter_normalized as filter_normalized, surface as surface
from .measuring import measure as measure
from .memory import largest_batch as largest_batch, layer_costs as layer_costs, peak as peak
from .parts import split as split
from .path_gradients import paths as paths
from .precision import in_float32 as in_float32
from .response_sizes import responses as responses
