"""The asking side: it takes commands, decides, and runs containers."""

__version__ = "2.0.0a1"
