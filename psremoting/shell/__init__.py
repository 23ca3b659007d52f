"""Enter-PSSession: an interactive remote session at a terminal.

`psremoting.shell.loop` reads lines and runs them, `psremoting.shell.terminal_host` answers the
host calls, `psremoting.shell.entering` sets both up over a session.
"""
