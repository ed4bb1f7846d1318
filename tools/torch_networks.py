"""The paper's networks in PyTorch, with torchvision's names, for comparison with this package's."""

import torch
from torch import nn

from keras_resnet.specs import EXPANSION, NetSpec


class Block(nn.Module):
    """A basic or bottleneck block (Fig. 5) with shortcut A or B, or without a shortcut in a plain network."""

    def __init__(self, spec: NetSpec, inputs: int, filters: int, stride: int):
        super().__init__()
        outputs = filters * EXPANSION[spec.block]
        first, second = (stride, 1) if spec.stride_in == "1x1" else (1, stride)
        shapes = [(inputs, filters, 3, stride), (filters, filters, 3, 1)]
        if spec.block == "bottleneck":
            shapes = [(inputs, filters, 1, first), (filters, filters, 3, second), (filters, outputs, 1, 1)]
        for number, (before, after, kernel, step) in enumerate(shapes, start=1):
            setattr(self, f"conv{number}", nn.Conv2d(before, after, kernel, step, kernel // 2, bias=False))
            setattr(self, f"bn{number}", nn.BatchNorm2d(after))
        self.convolutions, self.stride, self.new_channels = len(shapes), stride, outputs - inputs
        self.residual, self.downsample = spec.residual, None
        if self.residual and spec.shortcut == "B" and (stride > 1 or inputs != outputs):
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        branch = x
        for number in range(1, self.convolutions + 1):
            branch = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(branch))
            if number < self.convolutions:
                branch = torch.relu(branch)
        return torch.relu(branch + self.shortcut(x) if self.residual else branch)

    def shortcut(self, x):
        if self.downsample is not None:
            return self.downsample(x)
        x = x[:, :, :: self.stride, :: self.stride]
        return nn.functional.pad(x, (0, 0, 0, 0, 0, self.new_channels)) if self.new_channels else x


class TorchNetwork(nn.Module):
    """A network of ``SPECS``, from float ``[batch, 3, height, width]`` to logits ``[batch, classes]``."""

    def __init__(self, spec: NetSpec, classes: int):
        super().__init__()
        channels = spec.filters[0]
        self.large = spec.stem == "imagenet"
        kernel, stride = (7, 2) if self.large else (3, 1)
        self.conv1 = nn.Conv2d(3, channels, kernel, stride, kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        stages = []
        for stage, (count, filters) in enumerate(zip(spec.blocks, spec.filters, strict=True)):
            blocks = []
            for number in range(count):
                blocks.append(Block(spec, channels, filters, 2 if stage and not number else 1))
                channels = filters * EXPANSION[spec.block]
            stages.append(nn.Sequential(*blocks))
            setattr(self, f"layer{stage + 1}", stages[-1])
        self.stages = len(stages)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        if self.large:
            x = nn.functional.max_pool2d(x, 3, 2, 1)
        for stage in range(1, self.stages + 1):
            x = getattr(self, f"layer{stage}")(x)
        return self.fc(x.mean(dim=(2, 3)))
