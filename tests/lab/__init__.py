"""The lab: an Azure in one network namespace, for tests, demo and bench."""

from .driver import Lab, LabError, up

__all__ = ["Lab", "LabError", "up"]
