"""A simulated person whose hidden affect drives pulse, skin and movement.

Nothing here measures anybody. Every stream made from it says so in its name and metadata.
"""
