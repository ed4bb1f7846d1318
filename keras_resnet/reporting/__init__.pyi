from .collecting import Found as Found, collect as collect
from .doc_tables import filled as filled
from .model_card import ModelCard as ModelCard
from .page import write_page as write_page
from .paper import claims as claims, markdown as markdown
from .paper_values import paper_error as paper_error
