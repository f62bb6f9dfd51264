"""What every page is made of: its templates, the assets that go into it, and the policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from wqscore.rendering.timestamp import created_at
from wqscore.version import __version__


def environment(package: str, **filters: Callable[..., object]) -> Environment:
    """The templates, in which every value is text unless it is Markup and every name must be there.

    Args:
        package: the one whose folder `templates` holds them.
        filters: what a template calls to turn a value into another, by name.
    """
    made = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= filters
    made.policies["json.dumps_kwargs"] = {
        "sort_keys": True,
        "allow_nan": False,
        "separators": (",", ":"),
    }
    return made


def asset(name: str, package: str = "wqscore.rendering.html") -> str:
    """A style sheet or script that goes into a page whole, from the folder `templates` of a package."""
    return files(package).joinpath("templates", name).read_text(encoding="utf-8")


def policy(style: str, scripts: Sequence[str] = ()) -> str:
    """A content security policy under which a page fetches nothing and runs no code but its own.

    Args:
        style: the text of its one style element.
        scripts: of each script element that is code.
    """
    allowed = " ".join(map(_source, scripts)) or "'none'"
    return f"default-src 'none'; script-src {allowed}; style-src {_source(style)}; img-src data:; base-uri 'none'"


def still_page(templates: Environment, name: str, **values: object) -> str:
    """Render a page that runs no code, in the style of all pages, with the time and the version that made it.

    Args:
        templates: from `environment`.
        name: of the template.
        **values: what it shows, beside `created`, `version`, `policy` and `style`.

    Raises:
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    style = asset("page.css")
    made = {"created": created_at(), "version": __version__, "policy": policy(style), "style": Markup(style)}
    return templates.get_template(name).render(**values, **made)


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"
