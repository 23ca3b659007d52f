"""Keys of the line editor that differ from prompt_toolkit's, as PSReadLine has them."""

from __future__ import annotations

from prompt_toolkit.application.current import get_app
from prompt_toolkit.filters import Condition, is_searching
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.key_binding.key_processor import KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.search import stop_search

from psremoting.shell.complete_input import needs_more

__all__ = ["command_keys"]


@Condition
def _incomplete() -> bool:
    return needs_more(get_app().current_buffer.text)


def command_keys() -> KeyBindings:
    """Return the key bindings for commands.

    Enter adds a line to an incomplete command and runs a complete one, also during a search in
    the history. Pasted text that ends with a line end is run if it is complete.
    """
    bindings = KeyBindings()
    add = bindings.add

    @add("enter", filter=~is_searching & _incomplete)
    @add("c-j", filter=~is_searching & _incomplete)
    def _add_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @add("enter", filter=is_searching, eager=True)
    @add("c-j", filter=is_searching, eager=True)
    def _run_found(event: KeyPressEvent) -> None:
        from prompt_toolkit.search import accept_search

        accept_search()
        stop_search()
        event.current_buffer.validate_and_handle()

    @add("c-c")
    def _abandon(event: KeyPressEvent) -> None:
        if is_searching():
            stop_search()
        buffer = event.app.current_buffer
        buffer.cursor_position = len(buffer.text)
        buffer.insert_text("^C")
        event.app.exit(exception=KeyboardInterrupt)

    @add(Keys.BracketedPaste)
    def _paste(event: KeyPressEvent) -> None:
        text = event.data.replace("\r\n", "\n").replace("\r", "\n")
        buffer = event.current_buffer
        ends = text.endswith("\n")
        buffer.insert_text(text[:-1] if ends else text)
        if ends and not needs_more(buffer.text):
            buffer.validate_and_handle()
        elif ends:
            buffer.insert_text("\n")

    return bindings
