"""The elements of a pipeline: commands with their arguments and redirections, expressions."""

from __future__ import annotations

import re

from psremoting.powershell import syntax as s
from psremoting.powershell.expressions import ExpressionParser
from psremoting.powershell.lexer import DASH, DASHES, QUOTES
from psremoting.powershell.parse_errors import ParseError

__all__ = ["CommandParser"]

_VERBATIM = re.compile(
    r"--%(?=[\s;|&(){},]|\Z)[ \t]*(?P<text>(?:\"[^\"\r\n]*\"?|&(?!&)|[^\"|&\r\n])*)"
)
_END_OF_PARAMETERS = re.compile(rf"[{DASH}]{{2}}(?=[\s;|&(){{}},]|\Z)")
_SIGN_OR_OPERATOR = re.compile(
    rf"[{DASH}](?:not|bnot|[ic]?split|join)(?!\w)|[+{DASH}](?=[\s$(\[@+{DASH}{QUOTES}]|\Z)",
    re.IGNORECASE,
)
_MERGE = re.compile(r"[1-6*]>&[12]")
_DOT_SOURCE = re.compile(rf"\.(?=[\s{QUOTES}$({{]|\Z)")
_STREAMS = {
    "1": "output", "2": "error", "3": "warning", "4": "verbose", "5": "debug", "6": "information",
    "*": "all",
}  # fmt: skip


class CommandParser(ExpressionParser):
    """The part of the parser that reads commands. All methods raise ParseError."""

    def element(self) -> s.Element | None:
        begin = self.at
        if self.here in ("", ")", "}", ";", "\r", "\n"):
            return None
        if self.here == "&" and not self.starts("&&"):
            return self._called("&", begin)
        if self.take(_DOT_SOURCE):
            return self._called(".", begin)
        if merge := self.take(_MERGE):
            # The real parser takes a merge at the head as the name of a command.
            name = s.StringConstant(merge[0], start=begin, end=self.at)
            return self._command(name, "", begin)
        if self.at_command():
            return self._command(self.word(command=True), "", begin)
        expression = self.expression()
        if expression is None:
            raise self.unexpected()
        redirections: list[s.Redirection] = []
        self.skip_space()
        while self._redirection(redirections):
            self.skip_space()
        return s.CommandExpression(expression, tuple(redirections), start=begin, end=self.at)

    def at_command(self) -> bool:
        """Return True if a command name is next, and not an expression."""
        here = self.here
        if here in f"{QUOTES}({{,":
            return False
        if here == "@":
            return False
        if here == "$":
            return not (self.at_variable() or self.starts("$("))
        if here == "[" or here == "!":
            return False
        if here in DASHES or here == "+":
            return self._no_number() and self._no_sign()
        return not (here.isdecimal() or here == ".") or self._no_number()

    def _no_number(self) -> bool:
        begin = self.at
        found = self.number(ends=self.number_ends)
        self.at = begin
        return found is None

    def _no_sign(self) -> bool:
        """Return True if the next plus sign or dash is part of a command name."""
        if _SIGN_OR_OPERATOR.match(self.text, self.at):
            return False
        self.at += 1
        number = not self._no_number()
        self.at -= 1
        return not number

    def _called(self, operator: str, begin: int) -> s.CommandCall:
        if operator == "&":
            self.at += 1
        self.skip_space()
        name = None if self.here and self.here in "&" else self.argument_value()
        if name is None:
            raise ParseError(
                f"Missing expression after '{operator}' in pipeline element.",
                "MissingExpression",
                offset=begin,
            )
        return self._command(name, operator, begin)

    def _command(self, name: s.Expression, operator: str, begin: int) -> s.CommandCall:
        arguments: list[s.Argument] = []
        redirections: list[s.Redirection] = []
        end = self.at
        ended = False
        while True:
            self.skip_space()
            if not self.here or self.here in "|;)}&\r\n":
                break
            if self.here == ",":
                raise _missing_argument(end)
            if not self._redirection(redirections):
                self._argument(arguments, ended)
                last = arguments[-1]
                ended = ended or (isinstance(last, s.CommandParameter) and last.name == "-")
            end = self.at
        return s.CommandCall(
            name, tuple(arguments), tuple(redirections), operator, start=begin, end=end
        )

    def _argument(self, arguments: list[s.Argument], ended: bool) -> None:
        """Add one argument; ``ended`` means that ``--`` has ended the parameters."""
        begin = self.at
        verbatim = self.take(_VERBATIM)
        if verbatim is not None:
            arguments.append(s.StringConstant("--%", start=begin, end=begin + 3))
            text = verbatim["text"]
            arguments.append(
                s.StringConstant(text, start=verbatim.start("text"), end=verbatim.end("text"))
            )
            return
        named = None if ended else self.parameter()
        if named is None:
            if not ended and self.take(_END_OF_PARAMETERS) is not None:
                arguments.append(s.CommandParameter("-", start=begin, end=self.at))
                return
            dashed = ended and self.here in DASHES
            value = (self._dash_word() if dashed else None) or self.argument_values()
            if value is None:
                raise self.unexpected()
            arguments.append(value)
            return
        name = named["name"]
        if not named["colon"]:
            arguments.append(s.CommandParameter(name, start=begin, end=self.at))
            end = self.at
            self.skip_space()
            if self.here == ",":
                raise _missing_argument(end)
            self.at = end
            return
        after = self.at
        self.skip_space()
        if self.here == ",":
            raise _missing_argument(after)
        spaced = self.at > after
        value = None if not self.here or self.here in "|;)}&\r\n" else self.argument_values()
        if value is None:
            raise ParseError(
                f"Parameter -{name}: requires an argument.",
                "ParameterRequiresArgument",
                offset=after,
            )
        arguments.append(s.CommandParameter(name, value, True, spaced, start=begin, end=self.at))

    def argument_values(self) -> s.Expression | None:
        """Parse an argument: one value, or an array of several with commas between them."""
        begin = self.at
        first = self.argument_value()
        if first is None:
            return None
        items = [first]
        while True:
            end = self.at
            self.skip_space()
            if self.here != ",":
                self.at = end
                break
            if isinstance(items[-1], s.Variable) and items[-1].splatted:
                raise self.splatting_in_list(items[-1])
            comma = self.at
            self.at += 1
            self.skip_lines()
            item = self.argument_value() if self.here and self.here not in "|;&)},-" else None
            if item is None and self.here in tuple(DASHES) and self.here:
                item = self._dash_word()
            if item is None:
                raise ParseError(
                    "Missing expression after ',' in pipeline element.",
                    "MissingExpression",
                    offset=comma + 1,
                    incomplete=not self.here,
                )
            items.append(item)
        if len(items) == 1:
            return first
        if isinstance(items[-1], s.Variable) and items[-1].splatted:
            raise self.splatting_in_list(items[-1])
        return s.ArrayLiteral(tuple(items), start=begin, end=end)

    def _dash_word(self) -> s.Expression | None:
        """Parse a word that looks like a parameter, within an array of arguments."""
        begin = self.at
        if _END_OF_PARAMETERS.match(self.text, self.at):
            return None
        named = self.parameter()
        if named is None:
            return self.argument_value()
        return s.StringConstant(named[0][: named.end("colon") - begin], start=begin, end=self.at)

    def argument_value(self) -> s.Expression | None:
        """Parse one value of a command line; None where none can begin."""
        here = self.here
        if not here or (self.word_ends() and here not in "({"):
            return None
        if here in f"{QUOTES}({{" or self._at_sign():
            return self.primary(argument=True)
        if here == "$":
            if self.starts("$("):
                return self.primary(argument=True)
            if self.at_variable():
                value = self._variable_argument()
                if value is not None:
                    return value
        number = self.number()
        if number is not None:
            return number
        return self.word()

    def _at_sign(self) -> bool:
        after = self.text[self.at + 1 : self.at + 2]
        if self.here != "@":
            return False
        if after and (after in f"({{{QUOTES}" or after.isalnum() or after in "_?"):
            return True
        raise ParseError("Unrecognized token in source text.", "UnrecognizedToken", offset=self.at)

    def _variable_argument(self) -> s.Expression | None:
        """Parse the next variable with its members; None if it is part of a longer word."""
        begin = self.at
        self.variable_name()
        ends = self.word_ends() or self.here in ".[=" or self.starts("::")
        self.at = begin
        return self.primary(argument=True) if ends else None

    # -- redirections

    def _redirection(self, redirections: list[s.Redirection]) -> bool:
        begin = self.at
        found = self.redirection()
        if found is None:
            return False
        if found["input"]:
            raise _reserved("<", begin)
        source = found["source"] or "1"
        if found["target"]:
            if not found["source"] or found["arrow"] == ">>":
                raise _missing_file(found.start("target"))
            if found["target"] != "&1" or source == "1":
                raise _reserved(found[0], begin)
            made: s.Redirection = s.Merge(source, start=begin, end=self.at)
        else:
            self.skip_space()
            path = None if not self.here or self.here in "|;)}&\r\n" else self.argument_value()
            if path is None:
                raise _missing_file(found.end())
            append = found["arrow"] == ">>"
            made = s.FileRedirection(source, path, append, start=begin, end=self.at)
        if any(each.source == source for each in redirections):
            raise ParseError(
                f"The {_STREAMS[source]} stream for this command is already redirected.",
                "StreamAlreadyRedirected",
                offset=begin,
            )
        redirections.append(made)
        return True


def _missing_argument(offset: int) -> ParseError:
    return ParseError("Missing argument in parameter list.", "MissingArgument", offset=offset)


def _reserved(operator: str, offset: int) -> ParseError:
    return ParseError(
        f"The '{operator}' operator is reserved for future use.",
        "RedirectionNotSupported",
        offset=offset,
    )


def _missing_file(offset: int) -> ParseError:
    return ParseError(
        "Missing file specification after redirection operator.",
        "MissingFileSpecification",
        offset=offset,
    )
