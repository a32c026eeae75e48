"""The dashboard: a Qt process of its own that shows what an engine sends."""

from apps.dashboard.main_window import Dashboard

__all__ = ["Dashboard"]
