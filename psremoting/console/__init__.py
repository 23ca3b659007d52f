"""The local prompt: PowerShell's commands for sessions, and the little language around them."""
