"""The command line: look at the IR of a model, or run it.

A model is named ``FILE.py:function``. Each ``--arg`` is one positional argument: a type
(``f64[8,4]``, filled with random numbers when the model runs), a number, a ``.npy``
file, or a ``.npz`` file, which is a dictionary of arrays.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from zipfile import BadZipFile

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from .backends.numba.cache import Cache, CacheError, find_cache
from .compiler.adjoint import adjoint
from .compiler.api import jit, make_ir, value_and_grad
from .compiler.function import Compiled
from .compiler.pipeline import BACKENDS, optimise
from .compiler.tree import flatten, path_names
from .ir import Graph, TensorType, spec
from .ir.errors import AnabranchError

__all__ = ["main"]

app = typer.Typer(
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

cache_app = typer.Typer(help="Compiled kernels on disk.", no_args_is_help=True)
app.add_typer(cache_app, name="cache")

Model = Annotated[str, typer.Argument(help="FILE.py:function")]
Args = Annotated[
    list[str] | None,
    typer.Option("--arg", "-a", help="A type, a number, a .npy or a .npz file."),
]


class Stage(StrEnum):
    """What to show of a graph."""

    FORWARD = "forward"
    ADJOINT = "adjoint"
    OPTIMISED = "optimised"
    PLAN = "plan"


class Backend(StrEnum):
    """What runs a graph."""

    NUMBA = "numba"
    REFERENCE = "reference"


class UsageError(Exception):
    """A command line that cannot be followed."""


def load_function(model: str) -> Callable[..., Any]:
    """The function that ``FILE.py:function`` names."""
    file, colon, name = model.rpartition(":")
    path = Path(file)
    if not colon or not name.isidentifier():
        raise UsageError(f"{model!r} is not FILE.py:function")
    if not path.is_file():
        raise UsageError(f"no file {file!r}")
    found = importlib.util.spec_from_file_location(f"_model_{path.stem}", path)
    if found is None or found.loader is None:
        raise UsageError(f"{file!r} is not a Python file")
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        found.loader.exec_module(module)
    except SyntaxError as error:
        raise UsageError(f"{file}, line {error.lineno}: {error.msg}") from None
    function = vars(module).get(name)
    if not callable(function):
        here = [
            key
            for key, value in vars(module).items()
            if inspect.isfunction(value) and value.__module__ == module.__name__
        ]
        raise UsageError(f"{file} has no function {name!r}; it has {', '.join(here)}")
    return function


def read_argument(text: str) -> Any:
    """One ``--arg``: a type, a number, or the arrays of a file."""
    if text.endswith((".npy", ".npz")):
        try:
            with Path(text).open("rb") as file:
                loaded = np.load(file, allow_pickle=False)
                return loaded if isinstance(loaded, np.ndarray) else dict(loaded)
        except (OSError, EOFError, ValueError, BadZipFile) as error:
            raise UsageError(f"cannot read {text!r}: {error}") from None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return spec(text)


def read_call(
    model: str, arg: list[str] | None
) -> tuple[Callable[..., Any], list[Any]]:
    """The function and its arguments, held against its signature."""
    function = load_function(model)
    arguments = [read_argument(text) for text in arg or []]
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
    if value.is_float:
        return rng.normal(size=value.sizes).astype(value.numpy)
    return rng.integers(0, 2, size=value.sizes).astype(value.numpy)


def graph_at(
    function: Callable[..., Any], arguments: list[Any], stage: Stage, grad: bool
) -> Graph:
    """The graph of a model at a stage before the plan."""
    graph = make_ir(function)(*arguments)
    if (grad or stage is Stage.ADJOINT) and not isinstance(function, Compiled):
        wrt = [node.name for node in graph.inputs if node.type.is_float]
        floats = [name for name in graph.results if graph[name].type.is_float]
        scalar = len(floats) == 1 and graph[floats[0]].type.shape == ()
        graph = adjoint(graph, wrt=wrt, of=floats, seeded=not scalar)
    return optimise(graph) if stage in (Stage.OPTIMISED, Stage.PLAN) else graph


@app.command("ir")
def show_ir(
    model: Model,
    arg: Args = None,
    stage: Annotated[Stage, typer.Option(help="What to show.")] = Stage.FORWARD,
    grad: Annotated[
        bool, typer.Option("--grad", help="Optimise and plan the adjoint graph.")
    ] = False,
    dot: Annotated[bool, typer.Option("--dot", help="Print Graphviz text.")] = False,
    annotate: Annotated[
        bool, typer.Option("--annotate", help="Add the model's lines and sum nodes.")
    ] = False,
) -> None:
    """Print the IR of a model."""
    function, arguments = read_call(model, arg)
    graph = graph_at(function, arguments, stage, grad)
    if dot:
        typer.echo(graph.to_dot(), nl=False)
    elif stage is Stage.PLAN:
        typer.echo(BACKENDS["numba"](graph).plan_text(), nl=False)
    else:
        typer.echo(graph.as_text(annotate=annotate), nl=False)


@app.command()
def run(
    model: Model,
    arg: Args = None,
    grad: Annotated[
        bool, typer.Option("--grad", help="Also the gradient of the first argument.")
    ] = False,
    backend: Annotated[Backend, typer.Option(help="What runs it.")] = Backend.NUMBA,
    seed: Annotated[int, typer.Option(help="For arguments given as types.")] = 0,
) -> None:
    """Compile a model, run it, and print its results and the times."""
    function, read = read_call(model, arg)
    rng = np.random.default_rng(seed)
    arguments = [random_argument(value, rng) for value in read]
    compiled = (value_and_grad if grad else jit)(function, backend=backend.value)
    first, result = timed(compiled, arguments)
    again, _ = timed(compiled, arguments)
    table = Table("result", "type", "value")
    leaves, _ = flatten(result)
    for name, leaf in zip(path_names(result), leaves, strict=True):
        array = np.asarray(leaf)
        text = np.array2string(array, threshold=8, edgeitems=2, precision=6)
        table.add_row(name or "-", f"{array.dtype}{list(array.shape)}", text)
    console = Console()
    console.print(table)
    console.print(f"first call {first:.3f} s, second call {again * 1e6:.0f} us")


@cache_app.command("info")
def cache_info() -> None:
    """Where compiled kernels are kept, and how many."""
    cache = user_cache()
    sizes = [status.st_size for _, status in cache.entries()]
    typer.echo(
        f"{cache.folder}: {len(sizes)} kernels, {sum(sizes)} of {cache.limit} bytes"
    )


@cache_app.command("clear")
def cache_clear() -> None:
    """Remove the compiled kernels that are kept."""
    cache = user_cache()
    typer.echo(f"{cache.folder}: {cache.clear()} files removed")


def user_cache() -> Cache:
    """The cache that compiled functions would use here."""
    cache = find_cache()
    if cache is None:
        raise UsageError("the cache is off: see ANABRANCH_CACHE")
    return cache


def timed(function: Callable[..., Any], arguments: list[Any]) -> tuple[float, Any]:
    """The seconds that one call takes, and its result."""
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def main() -> None:
    """Run the command line; errors of ours are one message and exit status 1 or 2."""
    try:
        app()
    except (UsageError, CacheError) as error:
        typer.echo(f"error: {_CONTROL.sub('?', str(error))}", err=True)
        sys.exit(2)
    except MemoryError:
        typer.echo("error: an argument or a result is too large", err=True)
        sys.exit(2)
    except AnabranchError as error:
        message = _CONTROL.sub("?", str(error))
        typer.echo(f"{type(error).__name__}: {message}", err=True)
        sys.exit(1)
