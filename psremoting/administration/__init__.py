"""The administration of an endpoint: its configurations, permissions, listeners and store."""
