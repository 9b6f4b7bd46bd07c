"""What Prometheus is told of a node and of its namespace. Every name is in ``docs/architecture.md`` and on the board of Grafana."""
