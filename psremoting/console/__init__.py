"""The local prompt: PowerShell's commands for sessions, and the language to call them."""
