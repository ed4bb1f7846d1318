"""What runs, studies and instruments found, as one page: ``write_page(folder, path)``; and the paper's own values."""

from keras_resnet.reporting.collect import Found, collect
from keras_resnet.reporting.page import write_page
from keras_resnet.reporting.pages import filled
from keras_resnet.reporting.paper import claims, markdown
from keras_resnet.reporting.paper_values import paper_error

__all__ = ["Found", "claims", "collect", "filled", "markdown", "paper_error", "write_page"]
