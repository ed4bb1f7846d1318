"""Instruments for networks: responses of their layers, how they learn, and what they cost.

    python tools/analyze.py responses --model A.keras B.keras --data cifar10 --data-dir DIR     Fig. 7
    python tools/analyze.py gradients --model A.keras ...     norms by layer and stage, flow over depth, shattering
    python tools/analyze.py training --workdir runs/RUN ...   gradients and update/weight ratios at its checkpoints
    python tools/analyze.py at-loss --workdir runs/RUN --below 1.2     saves its network at that training loss
    python tools/analyze.py curvature --model A.keras ...     eigenvalues, trace and density of the Hessian; surface
    python tools/analyze.py lipschitz --model A.keras ...     spectral norms, bounds, measured constants
    python tools/analyze.py conditioning --model A.keras ...  singular values of blocks and of their product
    python tools/analyze.py lesions --model A.keras ...       errors with blocks deleted or reordered; paths
    python tools/analyze.py cost --model ResNet50 ...         parameters, multiply-adds, memory, seconds

All but at-loss write result.json and figure.png into --out (default: runs/analysis/INSTRUMENT).
"""

from analyze_cost import Cost
from analyze_learning import Curvature, Gradients
from analyze_networks import Conditioning, Lesions, LipschitzConstants, Responses
from analyze_run import AtLoss, Training

from keras_resnet.command_line import run_tools

COMMANDS = {
    "responses": Responses,
    "gradients": Gradients,
    "training": Training,
    "at-loss": AtLoss,
    "curvature": Curvature,
    "lipschitz": LipschitzConstants,
    "conditioning": Conditioning,
    "lesions": Lesions,
    "cost": Cost,
}

if __name__ == "__main__":
    run_tools(COMMANDS, __doc__)
