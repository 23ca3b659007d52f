"""The version in pyproject.toml; reading the metadata of the package would be slow."""

__version__ = "0.1.0.dev0"
