"""Remote sessions of PowerShell: the client, the endpoint, and the programs."""

__all__ = ["__version__"]

__version__ = "0.1.0.dev0"
"""As in pyproject.toml; asking the installed package's metadata takes as long as a login."""
