"""The command line: look at the IR of a model, or run it.

A model is named ``FILE.py:function``, or ``FILE.ir`` for the text of a graph. Each
``--arg`` is one positional argument: a type (``f64[8,4]``, filled with random numbers
when the model runs), a number, a ``.npy`` file, or a ``.npz`` file, which is a
dictionary of arrays. A graph says the types of arguments that are not given. ``--grad``
is always the gradient of a scalar result with respect to the first argument, all leaves
of it.

What cannot be followed is one message on the error stream and exit status 2, or 1 where
the model is at fault. What is printed has no control characters but line ends.
"""

from __future__ import annotations

import importlib.util
import inspect
import io
import math
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from zipfile import BadZipFile

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import __version__, docs
from .backends import DEFAULT, NAMES, find_backend
from .backends.llvm.engine.cache import CacheError
from .cache_cli import cache_app
from .compiler.api import jit, make_ir, value_and_grad
from .compiler.calls.function import Compiled
from .compiler.graph_function import GraphFunction
from .compiler.pipeline import optimise
from .compiler.tracing.source import is_installed
from .compiler.tree import flatten, path_names
from .ir import Graph, TensorType, parse, spec
from .ir.errors import AnabranchError, ParseError, SourceLine
from .ir.text import MAX_TEXT
from .terminal import UsageError, escaped, show
from .timing import steady_call, timed

__all__ = ["main"]

HELP = (
    "Look at the graph of a NumPy function and of its gradient, or compile and run it."
    "\n\n"
    "A model is FILE.py:function, and each --arg is one positional argument of it: a "
    "type such as f64[8,4] (random numbers when the model runs), a number, a .npy "
    "file, or a .npz file, which is a dictionary of arrays."
    "\n\n"
    "anabranch ir model.py:loss -a params.npz -a 'f64[8,3]' --stage adjoint --annotate"
    "\n\n"
    "anabranch run model.py:loss -a params.npz -a x.npy --grad"
    "\n\n"
    "The exit status is 2 for a command line that cannot be followed, and 1 where the "
    "model is at fault; what is wrong stands on the error stream."
)
app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(cache_app, name="cache")

Model = Annotated[str, typer.Argument(help="FILE.py:function or FILE.ir")]
Args = Annotated[
    list[str] | None,
    typer.Option(
        "--arg",
        "-a",
        help="The next argument: a type like 'f64[8,4]', a number, a .npy, a .npz.",
    ),
]
GRAD = "With the gradient of the scalar result for the first argument, all its leaves."


class Stage(StrEnum):
    """What to show of a graph."""

    FORWARD = "forward"
    ADJOINT = "adjoint"
    OPTIMISED = "optimised"
    PLAN = "plan"


# What typer raises for one of its own: all but the class itself is exported.
REFUSED: Any = typer.BadParameter.__base__


def load_function(model: str) -> Callable[..., Any]:
    """The function that ``FILE.py:function`` names."""
    file, colon, name = model.rpartition(":")
    path = Path(file)
    if not colon or not name.isidentifier():
        raise UsageError(f"{model!r} is not FILE.py:function or FILE.ir")
    if not path.is_file():
        raise UsageError(f"no file {file!r}")
    found = importlib.util.spec_from_file_location(f"_model_{path.stem}", path)
    if found is None or found.loader is None:
        raise UsageError(f"{file!r} is not a Python file")
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        with redirect_stdout(sys.stderr):  # what is piped on is ours
            found.loader.exec_module(module)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise UsageError(f"{file}{line}: {error.msg}") from None
    function = vars(module).get(name)
    if not callable(function):
        here = [
            key
            for key, value in vars(module).items()
            if inspect.isfunction(value) and value.__module__ == module.__name__
        ]
        raise UsageError(f"{file} has no function {name!r}; it has {', '.join(here)}")
    return function


def read_graph(file: str) -> Graph:
    """The graph whose text is in a file."""
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"no file {file!r}")
    try:
        with path.open(encoding="utf-8") as opened:
            return parse(opened.read(MAX_TEXT + 1))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file!r}: {error}") from None


def read_argument(text: str) -> Any:
    """One ``--arg``: a type, a number, or the arrays of a file."""
    if text.endswith((".npy", ".npz")):
        if Path(text).exists() and not Path(text).is_file():
            raise UsageError(f"cannot read {text!r}: it is not a regular file")
        try:
            with Path(text).open("rb") as file:
                loaded = np.load(file, allow_pickle=False)
                return loaded if isinstance(loaded, np.ndarray) else dict(loaded)
        except (OSError, EOFError, ValueError, BadZipFile) as error:
            raise UsageError(f"cannot read {text!r}: {error}") from None
    number = _number(text)
    if number is not None:
        return number
    try:
        return spec(text)
    except ParseError as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise UsageError(f"--arg: {error.what}{hint}") from None


def _number(text: str) -> int | float | None:
    """The number that ``text`` is, which has to fit into an i64 or an f64."""
    try:
        value = float(text)
    except ValueError:
        return None
    whole = text.strip().lstrip("+-").replace("_", "").isdigit()
    if whole and abs(value) < 2**65:
        value = int(text)
    fits = -(2**63) <= value < 2**63 if whole else True
    if not fits or (math.isinf(value) and "inf" not in text.lower()):
        raise UsageError(f"{text[:40]!r} does not fit into {'i64' if whole else 'f64'}")
    return value


def read_call(
    model: str, arg: list[str] | None
) -> tuple[Callable[..., Any], list[Any]]:
    """The function and its arguments, held against its signature."""
    arguments = [read_argument(text) for text in arg or []]
    function: Callable[..., Any]
    if model.endswith(".ir"):
        graph = read_graph(model)
        given = GraphFunction.of(graph)
        function = jit(given) if graph.sections else given  # which is its own adjoint
        arguments += [node.type for node in graph.inputs[len(arguments) :]]
    else:
        function = load_function(model)
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        signature = inspect.signature(function)
        raise UsageError(f"{model}{signature}: {error}; give each by --arg") from None
    return function, arguments


def random_argument(value: Any, rng: np.random.Generator) -> Any:
    """Numbers for a type; anything else stays."""
    if not isinstance(value, TensorType):
        return value
    if value.is_complex:
        parts = rng.normal(size=(2, *value.shape))
        return (parts[0] + 1j * parts[1]).astype(value.numpy)
    if value.is_float:
        return rng.normal(size=value.shape).astype(value.numpy)
    return rng.integers(0, 2, size=value.shape).astype(value.numpy)


def graph_at(
    function: Callable[..., Any], arguments: list[Any], stage: Stage, grad: bool
) -> Graph:
    """The graph of a model at a stage before the plan.

    The adjoint of a gradient that the model itself asks for is its graph.
    """
    if grad or (stage is Stage.ADJOINT and not isinstance(function, Compiled)):
        function = value_and_grad(function)
    graph = make_ir(function)(*arguments)
    return optimise(graph) if stage in (Stage.OPTIMISED, Stage.PLAN) else graph


def show_version(wanted: bool) -> None:
    """Print the version and stop, where that is asked for."""
    if wanted:
        typer.echo(f"anabranch {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            callback=show_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    del version  # its callback did all


@app.command("ir")
def show_ir(
    model: Model,
    arg: Args = None,
    stage: Annotated[
        Stage,
        typer.Option(
            help="As traced (forward), differentiated (adjoint, which implies --grad), "
            "as it runs (optimised), or its kernels in order (plan)."
        ),
    ] = Stage.FORWARD,
    grad: Annotated[bool, typer.Option("--grad", help=GRAD)] = False,
    dot: Annotated[bool, typer.Option("--dot", help="Print it for Graphviz.")] = False,
    annotate: Annotated[
        bool,
        typer.Option("--annotate", help="Say each node's line, and which are sums."),
    ] = False,
) -> None:
    """Print the IR of a model."""
    function, arguments = read_call(model, arg)
    graph = graph_at(function, arguments, stage, grad)
    if dot:
        show(graph.to_dot())
    elif stage is Stage.PLAN:
        show(find_backend(DEFAULT).prepare(graph).plan_text())
    else:
        show(graph.as_text(annotate=annotate, version=True))


@app.command()
def run(
    model: Model,
    arg: Args = None,
    grad: Annotated[bool, typer.Option("--grad", help=GRAD)] = False,
    backend: Annotated[
        str, typer.Option(help=f"What runs it: {' or '.join(NAMES)}.")
    ] = DEFAULT,
    seed: Annotated[int, typer.Option(min=0, help="Of the numbers for types.")] = 0,
) -> None:
    """Compile a model and run it: its results, its first call and a steady one."""
    if backend not in NAMES:
        raise UsageError(f"--backend {backend!r} is not one of {', '.join(NAMES)}")
    function, read = read_call(model, arg)
    rng = np.random.default_rng(seed)
    arguments = [random_argument(value, rng) for value in read]
    compiled = (value_and_grad if grad else jit)(function, backend=backend)
    first, result = timed(compiled, arguments)
    steady, calls = steady_call(compiled, arguments)
    table = Table("result", "type", "value")
    leaves, _ = flatten(result)
    for name, leaf in zip(path_names(result), leaves, strict=True):
        array = np.asarray(leaf)
        text = np.array2string(array, threshold=8, edgeitems=2, precision=6)
        kind = f"{array.dtype}{list(array.shape)}"
        table.add_row(Text(escaped(name or "-")), Text(kind), Text(text))
    console = Console()
    console.print(table)
    console.print(f"first call   {first:.3f} s: traced, compiled or loaded, and run")
    console.print(f"steady call  {steady * 1e6:.1f} us: the median of {calls} more")


@app.command("docs")
def show_docs(
    page: Annotated[
        str | None, typer.Argument(help="Which page; none lists them.")
    ] = None,
) -> None:
    """Print a page of the documentation that is installed with the library."""
    pages = find_pages()
    if page is None:
        for name, path in pages.items():
            with path.open(encoding="utf-8") as file:
                typer.echo(f"{name:<12} {file.readline().lstrip('# ').rstrip()}")
    elif page in pages:
        show(pages[page].read_text("utf-8"))
    else:
        raise UsageError(
            f"no page is called {page!r}; the pages are {', '.join(pages)}"
        )


def find_pages() -> dict[str, Path]:
    """The pages of the documentation by name."""
    folder = Path(docs.__file__).parent
    return {path.stem: path for path in sorted(folder.glob("*.md"))}


def place_in_model(error: BaseException) -> SourceLine | None:
    """The innermost line of the model among those that an error passed through."""
    found: SourceLine | None = None
    inside = False
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module.split(".")[0] == __name__.split(".")[0]:
            inside = True
        elif inside and not is_installed(frame.f_code.co_filename):
            found = SourceLine(frame.f_code.co_filename, line)
    return found


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def fail(message: str, status: int) -> None:
    """Print what went wrong, and exit."""
    typer.echo(escaped(message), err=True)
    sys.exit(status)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(app(prog_name="anabranch", standalone_mode=False))
    except REFUSED as error:
        message = error.format_message()  # nothing where the help was printed
        fail(f"error: {message}" if message else "", 2)
    except (UsageError, CacheError) as error:
        fail(f"error: {_one_line(error)}", 2)
    except MemoryError:
        fail("error: an argument or a result is too large", 2)
    except AnabranchError as error:
        fail(f"{type(error).__name__}: {error}", 1)
    except (KeyboardInterrupt, typer.Abort):
        fail("interrupted", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        place = place_in_model(error)
        if place is None:
            raise
        what = f"{type(error).__name__}: {_one_line(error)}"
        fail(f"error: {place.file}:{place.line}: {what}", 1)
