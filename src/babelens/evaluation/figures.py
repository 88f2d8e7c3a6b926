"""The common look of all plots, and writing them to files. Figures are objects; matplotlib's global state is not used.

A language has the same colour and marker in every plot. The colours are those of Okabe and Ito, told apart with any
kind of colour vision; yellow is darkened to be seen on white. Axes carry language tags, which every font has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec

from ..errors import MissingExtraError
from ..languages import LANGUAGES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    P = ParamSpec("P")

INK: Final = "#1b1b1a"
QUIET: Final = "#64645f"
LINE: Final = "#dcdcd6"
PICTURES: Final = "#7a7a74"

# By position: colour, matplotlib's marker, and the marker's name on web pages.
SERIES: Final[tuple[tuple[str, str, str], ...]] = (
    ("#1b1b1a", "o", "circle"),
    ("#d98c00", "^", "triangle"),
    ("#0072b2", "s", "square"),
    ("#009e73", "D", "diamond"),
    ("#d55e00", "v", "triangle-down"),
    ("#56b4e9", "P", "plus"),
    ("#c4679a", "X", "cross"),
    ("#8a7a00", "*", "star"),
)
# Captions whose language nobody stated.
_UNSTATED: Final = ("#5b4fa2", "p", "pentagon")

_STYLE: Final[dict[str, Any]] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture everywhere
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "savefig.facecolor": "white",
    "svg.hashsalt": "babelens",  # the same file for the same figure
}


def styled(plot: Callable[P, Figure]) -> Callable[P, Figure]:
    """A plot in the common style, whatever the user's own matplotlib settings. Raises :class:`MissingExtraError`."""

    @wraps(plot)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with _style():
            return plot(*args, **kwargs)

    return wrapped


def new_figure(width: float = 8.0, height: float = 4.5) -> Figure:
    """An empty figure of so many inches, which are 100 pixels each on screens. Call it inside :func:`styled`."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    return Figure(figsize=(width, height), dpi=100, layout=layout)


def save(figure: Figure, path: str | Path) -> tuple[Path, Path]:
    """Writes ``path`` with ``.png`` (at twice the size on screen) and ``.svg``; makes its folder. Gives both paths."""
    base = Path(path)
    base.parent.mkdir(parents=True, exist_ok=True)
    # Not with_suffix: a name may hold a dot of its own.
    png, svg = base.with_name(base.name + ".png"), base.with_name(base.name + ".svg")
    with _style():
        figure.savefig(png, dpi=200, metadata={"Software": None})
        figure.savefig(svg, metadata={"Date": None, "Creator": None})
    return png, svg


def series(name: str, position: int = 0) -> tuple[str, str, str]:
    """Colour, marker, and the marker's name: those of a language by its tag, else by position."""
    if name == "und":
        return _UNSTATED
    if name in LANGUAGES:
        position = list(LANGUAGES).index(name)
    return SERIES[position % len(SERIES)]


def in_order(names: Iterable[str]) -> list[str]:
    """Languages first, in the order they always have; then other names in the order given."""
    given = list(dict.fromkeys(names))
    return [tag for tag in LANGUAGES if tag in given] + [name for name in given if name not in LANGUAGES]


@contextmanager
def _style() -> Iterator[None]:
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError("matplotlib", "eval") from error
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield
