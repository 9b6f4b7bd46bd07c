"""The only code that knows Redis: connections, keys, scripts, and one method per transition."""

from .slim_redis import import_connections

import_connections()
