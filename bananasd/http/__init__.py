"""The optional dashboard: health checks, and pages that show what goes on and change it."""
