"""``python -m anabranch.compiler.lower``: print the page that lists all functions."""

from __future__ import annotations

from .page.page import functions_page

if __name__ == "__main__":
    print(functions_page(), end="")
