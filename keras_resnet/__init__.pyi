from . import (
    analysis as analysis,
    data as data,
    deployment as deployment,
    detection as detection,
    evaluation as evaluation,
    plots as plots,
    reporting as reporting,
    studies as studies,
    training as training,
    weights as weights,
)
from .errors import InputError as InputError
from .loading import load_model as load_model
from .models import (
    PlainNet18 as PlainNet18,
    PlainNet20 as PlainNet20,
    PlainNet32 as PlainNet32,
    PlainNet34 as PlainNet34,
    PlainNet44 as PlainNet44,
    PlainNet50 as PlainNet50,
    PlainNet56 as PlainNet56,
    PlainNet101 as PlainNet101,
    PlainNet110 as PlainNet110,
    PlainNet152 as PlainNet152,
    ResNet18 as ResNet18,
    ResNet20 as ResNet20,
    ResNet32 as ResNet32,
    ResNet34 as ResNet34,
    ResNet44 as ResNet44,
    ResNet50 as ResNet50,
    ResNet56 as ResNet56,
    ResNet101 as ResNet101,
    ResNet110 as ResNet110,
    ResNet152 as ResNet152,
    ResNet1202 as ResNet1202,
    build as build,
    convert as convert,
    pyramid as pyramid,
    replace_classifier as replace_classifier,
)
from .network import Network as Network
from .predictions import decode_predictions as decode_predictions
from .specs import SPECS as SPECS, NetSpec as NetSpec
from .weights.preprocessing import Preprocessing as Preprocessing, preprocess_input as preprocess_input
