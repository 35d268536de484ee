"""The Grafana dashboard and what makes it: `python -m dashboards.make` writes the JSON anew."""
