"""funnelsim: a laboratory for the web analytics of a company that sells by demo, where the truth is known.

The one import of users, ``import funnelsim as fs``: every public name of ``scenarios`` (scenarios, runs, studies),
``analytics`` (events, statistics, the intent model) and ``simulator`` (the world) is a name of it, loaded when used.

>>> import funnelsim as fs
>>> fs.Scenario.load("baseline").name
'baseline'
"""

import analytics
import scenarios
import simulator
from scenarios import files

_PACKAGES = (scenarios, analytics, simulator)

__version__: str
__all__ = ["__version__", *sorted({name for package in _PACKAGES for name in package.__all__})]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    if name == "__version__":
        return files.installed_version()
    for package in _PACKAGES:
        if name in package.__all__:
            return getattr(package, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
