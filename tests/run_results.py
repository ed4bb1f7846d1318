"""Folders with the result files of a run."""

import json


def write_run(folder, model, seed, error, **settings):
    """``result.json`` and ``metrics.csv`` of a run of 100 steps on CIFAR-10."""
    folder.mkdir(parents=True)
    all_settings = {"model": model, "data": "cifar10", "steps": 100, "seed": seed, "workdir": str(folder)} | settings
    result = {"model": model, "seed": seed, "steps": 100, "val_error": error, "test_error": None, "val_examples": 5000}
    result |= {
        "seconds": 1800.0,
        "hardware": "2 cores",
        "command": f"run <{seed}>",
        "commit": "abc",
        "settings": all_settings,
    }
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "metrics.csv").write_text(f"split,step,error\ntrain,50,40\ntrain,100,30\nvalidation,100,{error}\n")
