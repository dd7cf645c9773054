"""Makes the packages of a pull request installable from a private RPM mirror."""

from importlib.metadata import version

__version__ = version("gm_analytics")
