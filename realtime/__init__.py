"""Streams in, feature windows out: rigs, inlets, clocks, filters, windows, features, engine."""
