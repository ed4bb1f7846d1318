"""What runs, studies and instruments found, as one page: ``write_page(folder, path)``; and the paper's own values."""

from keras_resnet.reporting.collect import Found, collect
from keras_resnet.reporting.page import write_page
from keras_resnet.reporting.paper import PAPER_ERRORS, claims, markdown

__all__ = ["PAPER_ERRORS", "Found", "claims", "collect", "markdown", "write_page"]
