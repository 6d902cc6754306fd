"""The command ``anabranch cache``: compiled kernels on disk."""

from __future__ import annotations

import typer

from .backends.llvm.engine.cache import Cache, find_cache
from .terminal import UsageError

__all__ = ["cache_app"]

cache_app = typer.Typer(help="Compiled kernels on disk.", no_args_is_help=True)


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
