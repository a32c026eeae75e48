"""Fitting the monitor to one person."""
