"""The only code that knows Redis: connections, keys, scripts, and one method per transition."""
