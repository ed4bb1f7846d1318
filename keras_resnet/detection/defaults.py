"""What the paper's detectors have, where nothing else is asked for (Sec. 4.3; Ren et al. 2015)."""

SCALES = (8.0, 16.0, 32.0)  # of anchors, times the base of 16 pixels: 128, 256, 512
RATIOS = (0.5, 1.0, 2.0)  # of anchors, height / width
REGIONS = 128  # learned from in an image
SMALLEST = 16.0  # side of a proposal in pixels
