"""Run by measure.py with KERAS_BACKEND set: what of the package works on that backend.

    python capabilities.py FOLDER [prepare]

Each function of ``PARTS`` does one thing that users do, with the network, images and photos that ``prepare`` has put
into FOLDER, and returns numbers that must be the same on every backend. FOLDER/BACKEND.json gets what became of each
part, and FOLDER/BACKEND.npz its numbers.
"""

import contextlib
import io
import json
import os
import runpy
import sys
import tempfile
import time
import traceback
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
sys.path.insert(0, str(Path(__file__).parents[1]))  # shared by the tests

import keras
import numpy as np

import keras_resnet
from keras_resnet import analysis, data, deployment, evaluation, weights
from keras_resnet.errors import InputError

ROOT = Path(__file__).parents[2]
SMALL = {"blocks": (2, 2), "filters": (4, 8), "input_shape": (16, 16, 3), "classes": 2}
SOME = ("unrolled", "looped")  # what does not depend on more
KINDS = {  # each option of a network that has code of its own
    "unrolled": {},
    "looped": {"unroll": False},
    "bottleneck": {"block": "bottleneck", "shortcut": "C"},
    "highway": {"shortcut": "highway"},
    "plain": {"residual": False},
    "preactivation": {"placement": "full_preactivation"},
}
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)  # Keras clips that of probabilities
OUT = Path("out")  # in a folder of each part's own


def prepare(folder: Path) -> None:
    """Write images, photos and networks of every kind; batch normalization has random statistics."""
    from conftest import randomize, write_photos

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    np.savez(folder / "images.npz", images=rng.normal(size=(6, 16, 16, 3)).astype("float32"), labels=[0, 1, 1, 0, 1, 0])
    write_photos(folder)
    for kind, changes in KINDS.items():
        model = keras_resnet.ResNet20(**SMALL | changes)
        randomize(model, rng)
        model.preprocessing, model.class_names = weights.CAFFE, ("cat", "dog")
        model.save(folder / f"{kind}.keras")


class Given:
    """What ``prepare`` wrote."""

    def __init__(self, folder: Path):
        self.folder, self.photos = folder, folder / "photos"
        arrays = np.load(folder / "images.npz")
        self.images, self.labels = arrays["images"], arrays["labels"]

    def model(self, kind: str = "unrolled") -> keras.Model:
        return keras_resnet.load_model(self.folder / f"{kind}.keras")

    def outputs(self, model: keras.Model) -> np.ndarray:
        return model.predict(self.images, verbose=0)


def networks(given):
    return {kind: given.outputs(given.model(kind)) for kind in KINDS}


def other_form(given):
    looped = keras_resnet.convert(given.model(), unroll=False)
    return {"looped": given.outputs(looped), "back": given.outputs(keras_resnet.convert(looped, unroll=True))}


def mixed_precision(given):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        trained = weights.from_model(given.model())
        scores = given.outputs(keras_resnet.build(trained.spec, weights=trained, **_shape()))
    finally:
        keras.config.set_dtype_policy("float32")
    return {"scores": scores.astype("float32").round(1)}  # bfloat16 has three digits


def _shape():
    return {"input_shape": SMALL["input_shape"], "classes": SMALL["classes"]}


def weight_files(given):
    results = {}
    for suffix in (".keras", ".weights.h5", ".safetensors", ".npz"):
        weights.write(given.model(), OUT / f"w{suffix}")
        stored = weights.read(OUT / f"w{suffix}")
        results[suffix] = given.outputs(keras_resnet.build(stored.spec, weights=stored, **_shape()))
    return results


def folding(given):
    return {kind: given.outputs(weights.fold_batch_norm(given.model(kind))) for kind in ("unrolled", "preactivation")}


def preprocessing(given):
    model, pixels = given.model(), (given.images * 40 + 128).clip(0, 255)
    tensor = keras_resnet.preprocess_input(keras.ops.convert_to_tensor(pixels), model)
    return {"numpy": keras_resnet.preprocess_input(pixels, model), "tensor": keras.ops.convert_to_numpy(tensor)}


def fit(given):
    from keras_resnet.training.stepping.optimizer import SGD

    model = evaluation.with_activation(given.model(), None)
    model.compile(SGD(0.01), CROSS_ENTROPY, metrics=[evaluation.ErrorRate()])
    model.fit(given.images, given.labels, batch_size=3, epochs=1, shuffle=False, verbose=0)
    return {"scores": given.outputs(model)}


def errors(given):
    model = evaluation.with_activation(given.model(), None)
    model.compile(loss=CROSS_ENTROPY, metrics=[evaluation.ErrorRate()])
    import tensorflow as tf

    return evaluation.evaluate(model, tf.data.Dataset.from_tensors((given.images, given.labels)), 2)


def views(given):
    split, model = data.open_data(str(given.photos)).validation, given.model()
    chosen = (evaluation.View(), evaluation.View("10-crop"), evaluation.View("multi-scale", (16, 24), flips=True))
    return {view.name: evaluation.score(model, split, view, 4).probabilities for view in chosen}


def embeddings(given):
    rows = evaluation.embed_split(given.model(), data.open_data(str(given.photos)).validation, "val")
    return {"features": rows["features"].astype("float32").round(2)}


def cam(given):
    return {kind: analysis.activation_map(given.model(kind), given.images) for kind in SOME}


def grad_cam(given):
    return {"map": analysis.activation_map(given.model(), given.images, block="conv2_block1")}


def responses(given):
    return {kind: [row.std for row in analysis.responses(given.model(kind), given.images)] for kind in SOME}


def lesions(given):
    lesion = analysis.Lesions(given.model(), given.images, given.labels)
    return {"errors": [row.error for row in lesion.deletions()], "permuted": lesion.permute(1).error}


def cost(given):
    model = given.model()
    return {"adds": analysis.multiply_adds(model), "bytes": analysis.peak(model, 8).total}


def curvature(given):
    loss = analysis.Loss(given.model(), given.images, given.labels)
    return {"top": analysis.top_eigenvalues(loss)[0], "norms": [row.norms for row in analysis.gradient_norms(loss)]}


def flow(given):
    return analysis.flow(given.model(), given.images, given.labels)


def shattering(given):
    return {"correlation": analysis.shattering(given.model(), given.images, given.labels, (0.1,))}


def lipschitz(given):
    return {row.name: row.local for row in analysis.lipschitz(given.model(), given.images[:1])}


def conditioning(given):
    rows = analysis.conditioning(given.model(), given.images[:1], steps=5, probes=1)
    return {row.name: row.block.nodes[-1] for row in rows}


def paths(given):
    return {"gradients": analysis.paths(given.model(), given.images, given.labels, draws=1).gradients}


def recalibration(given):
    model = given.model()
    evaluation.recalibrate_batch_norm(model, [(given.images,)])
    return {"scores": given.outputs(model)}


def recipe(given):
    workdir = OUT / "run"
    program("recipes/imagenet.py", "--data", given.photos, "--model", "ResNet20", "--change", "blocks=[1,1,1]",
            "--image-size", 16, "--batch-size", 4, "--steps", 2, "--workdir", workdir)  # fmt: skip
    return {"steps": json.loads((workdir / "result.json").read_text())["steps"]}


def evaluating_program(given):
    network, answers = given.folder / "unrolled.keras", OUT / "errors.json"
    program("tools/evaluate.py", "--model", network, "--data", given.photos, "--json", answers)
    (wrong,) = json.loads(answers.read_text())["wrong"].values()
    return wrong


def classifying_program(given):
    network, answers, picture = given.folder / "unrolled.keras", OUT / "answers.json", OUT / "why.png"
    program("tools/classify.py", given.photos / "val", "--model", network, "--json", answers, "--explain", picture)
    photos = json.loads(answers.read_text())
    return {"probabilities": [row["classes"][0]["probability"] for row in photos]}


def onnx(given):
    model = given.model()
    deployment.save_onnx(model, OUT / "model.onnx")
    return {"logits": deployment.run_onnx(OUT / "model.onnx")(given.images)}


def saved_model(given):
    deployment.save_saved_model(given.model(), OUT / "saved")
    return {"logits": deployment.run_saved_model(OUT / "saved")(given.images)}


def detector(given):
    from keras_resnet.detection import FasterRCNN

    return {"anchors": FasterRCNN(keras_resnet.ResNet18(width=0.125, input_shape=(96, 96, 3)), 2).cell_anchors[0]}


def localization(given):
    from keras_resnet.localization import LocalizationRPN

    network = keras_resnet.ResNet18(width=0.125, input_shape=(96, 96, 3))
    return {"anchors": LocalizationRPN(network, ("cat", "dog")).cell_anchors}


def program(script: str, *arguments) -> None:
    """Run a recipe or tool as a user does; its last message becomes the error if it refuses."""
    said, os._exit = io.StringIO(), sys.exit  # by which recipes end the process
    sys.argv = [str(ROOT / script), *map(str, arguments)]
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise InputError(said.getvalue().strip().splitlines()[-1]) from end


PARTS = {
    "networks: plain, residual, highway, bottleneck, pre-activation, looped": networks,
    "conversion between looped and unrolled": other_form,
    "bfloat16": mixed_precision,
    "weight files: .keras, .weights.h5, .safetensors, .npz": weight_files,
    "folding of batch normalization": folding,
    "preprocessing of arrays and tensors": preprocessing,
    "Keras' fit with this package's SGD": fit,
    "errors of a compiled model": errors,
    "photos by center, 10-crop and multi-scale views": views,
    "embeddings of photos": embeddings,
    "activation maps (CAM)": cam,
    "keras-resnet evaluate": evaluating_program,
    "keras-resnet classify --explain": classifying_program,
    "responses": responses,
    "lesions": lesions,
    "multiply-adds and memory": cost,
    "ONNX files": onnx,
    "activation maps at any block (Grad-CAM)": grad_cam,
    "curvature and gradient norms": curvature,
    "flow of gradients": flow,
    "shattering": shattering,
    "Lipschitz constants": lipschitz,
    "conditioning": conditioning,
    "gradients of paths": paths,
    "recalibration of batch normalization": recalibration,
    "recipes and studies": recipe,
    "detectors": detector,
    "localization networks": localization,
    "SavedModel and LiteRT files": saved_model,
}


def main(folder: Path) -> None:
    given, backend = Given(folder), keras.backend.backend()
    outcomes, numbers = {}, {}
    for name, part in PARTS.items():
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
            OUT.mkdir()
            keras.utils.set_random_seed(0)
            try:
                results = part(given)
            except InputError as error:
                outcomes[name] = {"refused": str(error)}
            except Exception:
                outcomes[name] = {"failed": traceback.format_exc()}
            else:
                outcomes[name] = {}
                numbers |= {f"{name}: {key}": np.asarray(values) for key, values in results.items()}
        print(f"{backend}, {name}: {time.perf_counter() - start:.1f} s", flush=True)
    np.savez(folder / f"{backend}.npz", **numbers)
    (folder / f"{backend}.json").write_text(json.dumps(outcomes))


if __name__ == "__main__":
    here = Path(sys.argv[1]).absolute()
    if sys.argv[2:]:
        prepare(here)
    main(here)
