"""Enter-PSSession: an interactive remote session at a terminal.

`psremoting.shell.loop` asks for lines and runs them, `psremoting.shell.host` answers what the
other side asks of the terminal, `psremoting.shell.entering` puts both over a session.
"""
