"""What localization has where nothing else is asked for (appendix C)."""

ANCHORS_LEARNED = 8  # of an image, positive and negative ones 1:1
SHARES = (0.25, 0.5, 1.0)  # sides of the anchors, as shares of the crop: 56, 112 and 224 pixels of 224
RATIOS = (0.5, 1.0, 2.0)  # width over height
PROPOSALS = 200  # of an image and class
SIZE = 224  # of crops and of warped regions, in pixels
FOREGROUND = 0.5  # overlap with an object from which a region is positive, and an answer right
TOP = 5  # answers a photo
