"""Train a residual or plain network on CIFAR-10 as Sec. 4.2 and Table 6 do.

    python recipes/cifar10.py --model ResNet20 --data-dir DIR

trains 64,000 steps of batch 128 on 45,000 images with 5,000 held out, augmented by shifts of up to 4 pixels and flips,
at rate 0.1, divided by 10 after one half and three quarters of the run. Test errors in the paper, trained on all 50,000
images: ResNet-20 8.75 %, 32 7.51, 44 7.17, 56 6.97, 110 6.43. DIR holds the data set as prepared by TFDS.
"""

from keras_resnet import training
from keras_resnet.training.cifar import PAPER, CifarSettings, check_data, cifar_run

DEMO = {**PAPER, "steps": 600}


def main(settings: CifarSettings) -> None:
    preset = DEMO if settings.data == "demo" else PAPER
    check_data(settings)
    training.run(training.resolve(settings, preset, "cifar10"), cifar_run)


if __name__ == "__main__":
    training.command_line(main, CifarSettings(data="cifar10"), __doc__, {"cifar10": PAPER, "demo": DEMO})
