"""Guards of the layout: folders at the top, one import name, imports one way."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType

import pytest

import anabranch

ROOT = Path(__file__).resolve().parent.parent
LINKED = ("docs", "ir", "backends", "compiler")
LAYERS = (*LINKED, "anabranch")  # each may import those before it, and itself
SOURCES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def _module(path: Path) -> str:
    """Return the import name of a source file, `__init__` spelled out."""
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name if name.startswith("anabranch.") else f"anabranch.{name}"


def _package(path: Path) -> str:
    return _module(path).rpartition(".")[0]


def _height(module: str) -> int:
    """Return the height of the layer of an import name.

    >>> [_height(f"anabranch.{name}") for name in ("ir.ops", "compiler", "cli")]
    [1, 3, 4]
    """
    folder = module.split(".")[1]
    return LAYERS.index(folder if folder in LINKED else "anabranch")


def _imports(path: Path) -> Iterator[tuple[bool, str]]:
    """Yield (is relative, full name) for each name that a file imports, anywhere."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from ((False, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = resolve_name("." * level + (module or ""), _package(path))
                yield from ((level > 0, f"{base}.{alias.name}") for alias in names)
            case _:
                pass


def _python(*arguments: str | Path, cwd: Path, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=os.environ | environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def test_packages_are_the_folders_on_disk():
    declared = PYPROJECT["tool"]["setuptools"]["packages"]
    assert sorted(declared) == sorted({_package(path) for path in SOURCES})


@pytest.mark.skipif(sys.platform == "win32", reason="git may write links as text")
@pytest.mark.parametrize("name", LINKED)
def test_link_is_relative_and_resolves(name: str):
    link = ROOT / "anabranch" / name
    assert link.readlink() == Path("..", name)
    assert link.resolve(strict=True) == ROOT / name


def test_type_checker_is_told_of_each_link():
    """Without this Pyright checks the front door only, and says that all is well."""
    included = PYPROJECT["tool"]["pyright"]["include"]
    assert {f"anabranch/{name}" for name in LINKED} <= set(included)


def test_imports_point_one_way():
    upward = [
        f"{_module(path)} imports {name}"
        for path in SOURCES
        for relative, name in _imports(path)
        if relative and _height(name) > _height(_module(path))
    ]
    assert upward == []


def test_absolute_imports_are_the_standard_library_and_declared_dependencies():
    """So the library imports itself relatively, and never a rival or a test tool."""
    names = (re.match(r"[\w-]+", line) for line in PYPROJECT["project"]["dependencies"])
    allowed = sys.stdlib_module_names | {name[0] for name in names if name}
    assert not allowed & {"anabranch", *LINKED, "autograd", "jax", "jaxlib", "torch"}
    foreign = [
        f"{_module(path)} imports {name}"
        for path in SOURCES
        for relative, name in _imports(path)
        if not relative and name.split(".")[0] not in allowed
    ]
    assert foreign == []


def test_no_folder_becomes_a_module_of_its_own():
    """Import everything from the root, where `import ir` would be found."""
    modules = [_module(path).removesuffix(".__init__") for path in SOURCES]
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        f"print(*sys.modules.keys() & {set(LINKED)})"
    )
    runnable = [name for name in modules if not name.endswith(".__main__")]
    assert _python("-c", code, *runnable, cwd=ROOT).split() == []


def test_a_compiled_function_loads_its_backend_when_it_is_made():
    """So neither an import nor a first call pays for it."""
    code = (
        "import sys, anabranch\n"
        "def loaded(): return 'anabranch.backends.llvm.backend' in sys.modules\n"
        "before = loaded()\n"
        "anabranch.grad(lambda x: x)\n"
        "print(before, loaded())"
    )
    assert _python("-c", code, cwd=ROOT).split() == ["False", "True"]


def test_all_is_exactly_the_public_names():
    def is_submodule(value: object) -> bool:
        return isinstance(value, ModuleType) and value.__name__.startswith("anabranch.")

    listed = anabranch.__all__
    assert len(listed) == len(set(listed))
    assert [name for name in listed if not hasattr(anabranch, name)] == []
    public = {name for name in dir(anabranch) if not name.startswith("_")}
    unlisted = public - set(listed)
    assert {n for n in unlisted if not is_submodule(getattr(anabranch, n))} == set()


def test_wheel_holds_the_library_alone(tmp_path: Path):
    """Built from a copy without the links, as from an archive that has lost them."""
    source, site = tmp_path / "source", tmp_path / "site"
    ignore = shutil.ignore_patterns("__pycache__", *LINKED)
    for layer in LAYERS:
        shutil.copytree(ROOT / layer, source / layer, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)

    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir")
    _python("-m", "pip", "wheel", *options, tmp_path, source, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(site)

    info = "anabranch-{version}.dist-info".format_map(PYPROJECT["project"])
    assert {name.split("/")[0] for name in names} == {"anabranch", info}
    code = {_module(path).replace(".", "/") + ".py" for path in SOURCES}
    assert {name for name in names if name.endswith(".py")} == code
    assert "anabranch/py.typed" in names
    pages = {f"anabranch/docs/{page}.md" for page in pages_in_messages()}
    assert pages
    assert pages <= names

    where = "import anabranch; print(anabranch.__file__)"
    found = _python("-c", where, cwd=tmp_path, PYTHONPATH=str(site))
    assert Path(found.strip()).is_relative_to(site)
    for page in pages_in_messages():
        command = ("-m", "anabranch", "docs", page)
        text = _python(*command, cwd=tmp_path, PYTHONPATH=str(site))
        assert text == (ROOT / "docs" / f"{page}.md").read_text("utf-8")


def pages_in_messages() -> set[str]:
    """The pages that an error or a docstring of the library names."""
    found = [
        re.findall(r"anabranch docs (\w+)", path.read_text("utf-8")) for path in SOURCES
    ]
    return {page for pages in found for page in pages}


def test_no_message_names_a_file_that_only_the_repository_has():
    """Who installed a wheel has neither docs/ nor a README."""
    named = [
        f"{path.relative_to(ROOT)}: {node.value}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.search(r"\w\.md\b|README", node.value)
    ]
    assert named == []
