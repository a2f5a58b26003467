"""The page that shows a run, one HTML file that needs nothing else: facts in, text out."""

from lightning_rast.page.curves import Curves as Curves
from lightning_rast.page.curves import read_curves as read_curves
from lightning_rast.page.facts import Baseline as Baseline
from lightning_rast.page.facts import Facts as Facts
from lightning_rast.page.facts import scored_views as scored_views
from lightning_rast.page.gather import gathered as gathered
from lightning_rast.page.gather import read_metrics as read_metrics
from lightning_rast.page.page import page_html as page_html
from lightning_rast.page.page import written_page as written_page

__all__ = [
    "Baseline",
    "Curves",
    "Facts",
    "gathered",
    "page_html",
    "read_curves",
    "read_metrics",
    "scored_views",
    "written_page",
]
