"""redis-py's connections without its clients, which nobody here asks for.

To import ``redis.connection`` is to import ``redis`` first, and with that every client and command, the cluster, and all
of them once more for asyncio: 5 MB of each daemon and a third of the time that an import of bananasd takes.
"""

import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from types import ModuleType

PACKAGE = "redis"
USED = ("backoff", "connection", "exceptions", "maint_notifications", "retry")


def import_connections() -> None:
    """Import what is ``USED``, unless the package is there; who imports the package itself later gets it whole.

    Not beside other threads, which might see the package before that.
    """
    if PACKAGE in sys.modules or PathFinder not in sys.meta_path or threading.active_count() > 1:
        return
    spec = PathFinder.find_spec(PACKAGE)
    if spec is None or spec.origin is None or not isinstance(spec.loader, SourceFileLoader):
        return
    package = sys.modules[PACKAGE] = ModuleType(PACKAGE)
    package.__path__ = list(spec.submodule_search_locations or ())
    try:
        for name in USED:
            import_module(f"{PACKAGE}.{name}")
    except ImportError:
        # A version in which they need the package: it is imported as usual, then.
        for name in [name for name in sys.modules if name.startswith(f"{PACKAGE}.")]:
            del sys.modules[name]
    else:
        # Behind the finders of those who want to know of every import.
        sys.meta_path.insert(sys.meta_path.index(PathFinder), _WholePackage(package, spec.origin))
    finally:
        del sys.modules[PACKAGE]


class _WholePackage(SourceFileLoader):
    """What the first import of the package finds, in the import system's own way and under its locks."""

    def __init__(self, package: ModuleType, path: str) -> None:
        super().__init__(PACKAGE, path)
        self._package = package

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - as the import system calls it
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        return spec_from_file_location(PACKAGE, self.path, loader=self) if fullname == PACKAGE else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:  # noqa: ARG002
        """The one that the modules imported so far are attributes of."""
        return self._package

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        sys.meta_path.remove(self)
