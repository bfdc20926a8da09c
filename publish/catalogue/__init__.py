"""A static catalogue of releases: an index to search and filter, and a page a model, for any web server or none."""

from .gather import Gathered, Item, gather
from .site import write_catalogue

__all__ = ["Gathered", "Item", "gather", "write_catalogue"]
