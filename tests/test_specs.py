"""The table of networks equals the paper's, and invalid specs are refused."""

from dataclasses import replace

import pytest

from keras_resnet import SPECS, InputError
from keras_resnet.specs import change_spec, find_spec, parse_changes


def test_depth_is_the_number_in_the_name():
    for name, spec in SPECS.items():
        assert spec.depth == int(name.removeprefix("ResNet").removeprefix("PlainNet"))


def test_rows_are_the_paper_s():
    imagenet, cifar = (18, 34, 50, 101, 152), (20, 32, 44, 56, 110)
    expected = {f"{kind}{n}" for kind in ("ResNet", "PlainNet") for n in imagenet + cifar} | {"ResNet1202"}
    assert set(SPECS) == expected
    assert all(SPECS[f"ResNet{n}"].shortcut == "B" and SPECS[f"ResNet{n}"].stride_in == "1x1" for n in imagenet)
    assert all(SPECS[f"ResNet{n}"].shortcut == "A" for n in cifar)
    assert [name for name, spec in SPECS.items() if not spec.unrolled] == ["ResNet1202"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shortcut": "D"}, ["shortcut 'D'", "A, B, C, highway"]),
        ({"block": "wide"}, ["block 'wide'", "basic, bottleneck"]),
        ({"placement": "middle"}, ["placement 'middle'", "full_preactivation"]),
        ({"stride_in": "5x5"}, ["stride_in", "1x1, 3x3"]),
        ({"activation": "gelu"}, ["activation 'gelu'", "relu, maxout"]),
        ({"residual": False, "placement": "full_preactivation"}, ["plain net", "original"]),
        ({"residual": False, "stochastic_depth": 0.5}, ["stochastic_depth", "shortcuts"]),
        ({"dropout": 1.0}, ["dropout 1.0", "from 0 to 0.999999"]),
        ({"width": 0}, ["width 0", "from 0.01 to 100"]),
        ({"width": 1e-9}, ["width 1e-09", "from 0.01 to 100"]),
        ({"width": float("nan")}, ["width nan", "a finite number"]),
        ({"width": "2"}, ["width '2'", "a finite number"]),
        ({"blocks": (10**9, 1, 1)}, ["blocks 1000000000 1 1", "from 1 to 1,000"]),
        ({"filters": "16"}, ["filters '16'", "a whole number"]),
        ({"blocks": (3, 0, 3)}, ["blocks 3 0 3", "from 1 to 1,000"]),
        ({"blocks": (3, 3)}, ["one number for each stage"]),
        ({"bn_epsilon": 0.0}, ["bn_epsilon 0.0"]),
    ],
)
def test_a_wrong_field_is_named_with_the_way_out(change, words):
    with pytest.raises(InputError) as caught:
        replace(SPECS["ResNet20"], **change)
    assert all(word in str(caught.value) for word in words), caught.value


def test_an_unknown_model_lists_the_names():
    with pytest.raises(InputError, match="model 'ResNet19' is not known: choose one of ResNet18, ResNet34"):
        find_spec("ResNet19")


def test_changes_are_read_from_words():
    texts = ("placement=full_preactivation", "width=2", "blocks=[3,3]", "unroll=false", "filters=[4, 8]")
    assert parse_changes(texts) == {
        "placement": "full_preactivation", "width": 2, "blocks": [3, 3], "unroll": False, "filters": [4, 8]
    }  # fmt: skip
    assert change_spec(SPECS["ResNet20"], **parse_changes(texts)).depth == 14


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("width", "must be FIELD=VALUE"),
        ("wide=2", "--change 'wide'"),
        ("shortcut=D", r"shortcut must be one of A, B, C, highway \(or use --shortcut\)"),
        ("width=big", "width must be a finite number"),
        ("width=true", "width must be a finite number"),
        ("width=nan", "width must be a finite number"),
        ("width=1e999", "width must be a finite number"),
        ("width=1e-9", "from 0.01 to 100"),
        (f"blocks={'[' * 100_000}", "blocks must be values"),
        ("remat=1", "remat must be true or false"),
        ("blocks=3", "blocks must be values, each a whole number"),
        ("unroll=maybe", "unroll must be true or false"),
    ],
)
def test_wrong_changes_are_named(text, words):
    with pytest.raises(InputError, match=words):
        parse_changes((text,))


def test_a_field_changed_twice_is_named():
    with pytest.raises(InputError, match="--change gives width twice"):
        parse_changes(("width=2", "remat=true", "width=4"))
