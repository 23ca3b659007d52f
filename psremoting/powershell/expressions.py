"""Expressions: operators with their precedence, values and members."""

from __future__ import annotations

import re

from psremoting.powershell import syntax as s
from psremoting.powershell.lexer import DASH, DASHES, DOUBLE, QUOTES, SINGLE
from psremoting.powershell.parse_errors import (
    ParseError,
    missing_brace,
    missing_parenthesis,
    too_complex,
)
from psremoting.powershell.strings import StringParser

__all__ = ["ExpressionParser"]

_MAX_DEPTH = 50
_CASED = "eq ne ge gt lt le like notlike match notmatch replace contains notcontains in notin split"
_LEVELS = (
    (1, ("-and", "-or", "-xor")),
    (2, ("-band", "-bor", "-bxor")),
    (5, ("-join", "-is", "-isnot", "-as", "-shl", "-shr")),
    (5, tuple(f"-{prefix}{name}" for name in _CASED.split() for prefix in ("", "c", "i"))),
    (7, ("??",)),
    (9, ("+", "-")),
    (10, ("*", "/", "%")),
    (12, ("-f",)),
    (13, ("..",)),
)
_PRECEDENCE = {name: level for level, names in _LEVELS for name in names}
_UNARY = frozenset({"-not", "-bnot", "-join", "-split", "-isplit", "-csplit"})
_WORD_OPERATOR = re.compile(rf"[{DASH}](?P<name>[A-Za-z]+)(?![\w])")
_SYMBOL = re.compile(rf"\?\?(?!=)|\.\.|\+\+|[+*/%](?!=)|[{DASH}](?![={DASH}])")
_INCREMENT = re.compile(rf"\+\+|[{DASH}]{{2}}")
_SIGN = re.compile(rf"[!+]|[{DASH}]")
_MEMBER_NAME = re.compile(r"\w+")
_KEY = re.compile(r"[^\W\d]\w*(?=[\s=;}#]|\Z|`)")
_TYPE_NAME = re.compile(r"[\w.+*&`,\s\[\]]*?(?=[\](]|\Z)")
_TYPE_TOKEN = re.compile(r"[^\[\]()]*")


class ExpressionParser(StringParser):
    """The part of the parser that reads expressions. All methods raise ParseError."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._ternaries = 0

    def enter(self) -> None:
        """Count one more level of nesting."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise too_complex(self.at)

    def leave(self) -> None:
        """Count one level of nesting less."""
        self._depth -= 1

    def statements(self, closer: str) -> tuple[s.Statement, ...]:
        """Parse the statements up to a closing bracket."""
        raise NotImplementedError

    def statement(self, closer: str = "") -> s.Statement | None:
        """Parse one statement; None where none can begin."""
        raise NotImplementedError

    def parenthesized(self) -> s.Statement | None:
        """Parse the pipeline or assignment inside ``( )``."""
        raise NotImplementedError

    @property
    def number_ends(self) -> str:
        """The follow set of a number in an expression; see `Lexer.number`."""
        return "ternary" if self._ternaries else "operator"

    # -- operators

    def expression(self) -> s.Expression | None:
        """Parse an expression with everything that belongs to it; None where none can begin."""
        self.enter()
        condition = self._binary()
        if condition is not None:
            self.skip_space()
            if self.here == "?" and not self.starts("??"):
                condition = self._ternary(condition)
        self.leave()
        return condition

    def one_expression(self) -> s.Expression | None:
        """Parse an expression in a list: commas separate it from the next."""
        self.enter()
        found = self._binary(arrays=False)
        self.leave()
        return found

    def _ternary(self, condition: s.Expression) -> s.Expression:
        self.at += 1
        self.skip_lines()
        self._ternaries += 1
        yes = self.required(self.expression(), "?")
        self._ternaries -= 1
        self.skip_lines()
        if self.here != ":":
            raise ParseError(
                "Missing ':' in the ternary expression.",
                "MissingColonInTernaryExpression",
                offset=self.at,
                incomplete=not self.here,
            )
        self.at += 1
        self.skip_lines()
        no = self.required(self.expression(), ":")
        return s.Ternary(condition, yes, no, start=condition.start, end=no.end)

    def _binary(self, *, arrays: bool = True) -> s.Expression | None:
        first = self._operand(arrays)
        if first is None:
            return None
        values, pending = [first], [""]
        levels = [0]
        while True:
            end = self.at
            self.skip_space()
            operator = self._operator()
            if operator is None:
                self.at = end
                break
            level = _PRECEDENCE[operator]
            while levels[-1] >= level:
                _reduce(values, pending, levels)
            self.skip_lines()
            values.append(self.required(self._operand(arrays), operator))
            pending.append(operator)
            levels.append(level)
        while len(values) > 1:
            _reduce(values, pending, levels)
        return values[0]

    def _operator(self) -> str | None:
        word = _WORD_OPERATOR.match(self.text, self.at)
        if word is not None:
            name = f"-{word['name'].casefold()}"
            if name not in _PRECEDENCE:
                return None
            self.at = word.end()
            return name
        symbol = _SYMBOL.match(self.text, self.at)
        if symbol is None or symbol[0] == "++":
            return None
        self.at = symbol.end()
        return "-" if symbol[0] in DASHES else symbol[0]

    def required(self, value: s.Expression | None, operator: str) -> s.Expression:
        """Return ``value``, or the error of an operator without one."""
        if value is None:
            raise self.missing_value(operator)
        return value

    def missing_value(self, operator: str) -> ParseError:
        """Return the error of a binary operator or assignment without a value after it."""
        return ParseError(
            f"You must provide a value expression following the '{operator}' operator.",
            "ExpectedValueExpression",
            offset=self.at,
            incomplete=not self.here,
        )

    def _operand(self, arrays: bool) -> s.Expression | None:
        begin = self.at
        first = self._unary()
        if first is None or not arrays:
            return first
        items = [first]
        while True:
            end = self.at
            self.skip_space()
            if self.here != ",":
                self.at = end
                break
            self.at += 1
            self.skip_lines()
            item = self._unary()
            if item is None:
                raise ParseError(
                    "Missing expression after ','.",
                    "MissingExpressionAfterToken",
                    offset=self.at,
                    incomplete=not self.here,
                )
            items.append(item)
        return first if len(items) == 1 else s.ArrayLiteral(tuple(items), start=begin, end=end)

    def _unary(self) -> s.Expression | None:
        begin = self.at
        if not self.here:
            return None
        number = self.number(ends=self.number_ends)
        if number is not None:
            return self._members(number)
        operator = self._unary_operator()
        if operator is None:
            return self._cast() if self.here == "[" else self.primary()
        self.skip_lines()
        self.enter()
        operand = self._unary()
        self.leave()
        if operand is None:
            raise ParseError(
                f"Missing expression after unary operator '{operator}'.",
                "MissingExpressionAfterOperator",
                offset=self.at,
                incomplete=not self.here,
            )
        if operator == ",":
            return s.ArrayLiteral((operand,), start=begin, end=self.at)
        return s.Unary(operator, operand, start=begin, end=self.at)

    def _unary_operator(self) -> str | None:
        word = _WORD_OPERATOR.match(self.text, self.at)
        if word is not None:
            name = f"-{word['name'].casefold()}"
            if name in _UNARY:
                self.at = word.end()
                return "-split" if name == "-isplit" else name
            return None
        increment = self.take(_INCREMENT)
        if increment is not None:
            return "++" if increment[0] == "++" else "--"
        if self.here == ",":
            self.at += 1
            return ","
        sign = self.take(_SIGN)
        if sign is None:
            return None
        return sign[0] if sign[0] in "!+" else "-"

    def _cast(self) -> s.Expression:
        begin = self.at
        name, attribute = self.type_name()
        end = self.at
        if self.starts("::"):
            return self._members(s.TypeLiteral(name, start=begin, end=end))
        self.skip_space()
        operand: s.Expression | None = None
        if self.here and self.here not in ",)" and not self._at_binary_word():
            self.enter()
            operand = self._unary()
            self.leave()
        if operand is None:
            if attribute:
                raise ParseError(
                    f"Unexpected attribute '{name}'.", "UnexpectedAttribute", offset=begin
                )
            self.at = end
            return self._members(s.TypeLiteral(name, start=begin, end=end))
        return s.Cast(f"{name}()" if attribute else name, operand, start=begin, end=self.at)

    def _at_binary_word(self) -> bool:
        word = _WORD_OPERATOR.match(self.text, self.at)
        return word is not None and f"-{word['name'].casefold()}" not in _UNARY

    def type_name(self) -> tuple[str, bool]:
        """Parse the name in the next square brackets; also return True for an attribute."""
        begin = self.at
        self.at += 1
        depth = 1
        while True:
            self.take(_TYPE_TOKEN)
            mark = self.here
            if mark == "(" and depth == 1:
                name = self.text[begin + 1 : self.at].strip()
                self.at += 1
                self.skip_block(")")
                self.at += 1
                self.skip_lines()
                if self.here != "]":
                    raise _open_type(self.at)
                self.at += 1
                return name, True
            if not mark or mark in "()":
                raise _open_type(self.at)
            self.at += 1
            depth += 1 if mark == "[" else -1
            if depth == 0:
                break
        name = self.text[begin + 1 : self.at - 1].strip()
        if not name:
            raise ParseError("Missing type name after '['.", "MissingTypename", offset=begin + 1)
        return name, False

    # -- values

    def primary(self, *, argument: bool = False) -> s.Expression | None:
        """Parse a value with its members and indexes; None where none can begin."""
        value = self._atom(argument)
        return None if value is None else self._members(value, argument=argument)

    def _atom(self, argument: bool) -> s.Expression | None:
        here, begin = self.here, self.at
        if not here:
            return None
        if here in SINGLE:
            return s.StringConstant(self.single_quoted(), "'", start=begin, end=self.at)
        if here in DOUBLE:
            return self.double_quoted()
        if here == "(":
            return self._paren()
        if here == "{":
            self.at += 1
            self.skip_block("}")
            self.at += 1
            text = self.text[begin + 1 : self.at - 1]
            return s.ScriptBlockLiteral(text, start=begin, end=self.at)
        if here == "$":
            if self.starts("$("):
                return self.sub_expression()
            if not self.at_variable():
                return None
            return s.Variable(self.variable_name(), start=begin, end=self.at)
        return self._after_at_sign(argument) if here == "@" else None

    def _after_at_sign(self, argument: bool) -> s.Expression:
        begin = self.at
        if self.starts("@("):
            self.at += 2
            statements = self._closed_statements()
            return s.ArrayExpression(statements, start=begin, end=self.at)
        if self.starts("@{"):
            return self._hash()
        here = self.here_string()
        if here is not None:
            return self.read_here_string(*here)
        after = self.text[self.at + 1 : self.at + 2]
        if not (after.isalnum() or (after and after in "_?")):
            raise ParseError(
                "Unrecognized token in source text.", "UnrecognizedToken", offset=begin
            )
        name = self.variable_name()
        if not argument or self.here in ("[", ".") or self.starts("::"):
            raise ParseError(
                "The splatting operator '@' cannot be used to reference variables in an "
                f"expression. '@{name}' can be used only as an argument to a command. To reference "
                f"variables in an expression use '${name}'.",
                "SplattingNotPermitted",
                offset=begin,
            )
        return s.Variable(name, True, start=begin, end=self.at)

    def splatting_in_list(self, variable: s.Expression) -> ParseError:
        """Return the error of a splatted variable in an array of arguments."""
        name = variable.name if isinstance(variable, s.Variable) else ""
        return ParseError(
            f"Splatted variables like '@{name}' cannot be part of a comma-separated list of "
            "arguments.",
            "SplattingNotPermittedInArgumentList",
            offset=variable.start,
        )

    def _paren(self) -> s.Paren:
        begin = self.at
        self.at += 1
        self.skip_lines()
        self.enter()
        statement = None if not self.here else self.parenthesized()
        self.leave()
        if statement is None:
            raise ParseError(
                "An expression was expected after '('.",
                "ExpectedExpression",
                offset=self.at,
                incomplete=not self.here,
            )
        end = self.at
        self.skip_lines()
        if self.here != ")":
            if not self.here or self.here == ";" or "\n" in self.text[end : self.at]:
                raise missing_parenthesis(end, "expression", incomplete=not self.here)
            raise self.unexpected()
        self.at += 1
        return s.Paren(statement, start=begin, end=self.at)

    def sub_expression(self) -> s.SubExpression:
        """Parse the ``$(...)`` that is next."""
        begin = self.at
        self.at += 2
        return s.SubExpression(self._closed_statements(), start=begin, end=self.at)

    def _closed_statements(self) -> tuple[s.Statement, ...]:
        found = self.statements(")")
        if self.here != ")":
            if self.here:
                raise self.unexpected()
            raise missing_parenthesis(self.at, "subexpression", incomplete=True)
        self.at += 1
        return found

    def _hash(self) -> s.HashLiteral:
        begin = self.at
        self.at += 2
        self.enter()
        pairs: list[tuple[s.Expression, s.Statement]] = []
        self.skip_lines()
        while self.here and self.here != "}":
            pairs.append(self._pair(begin))
            end = self.at
            self.skip_lines(";")
            if self.here not in ("", "}") and not re.search("[;\r\n]", self.text[end : self.at]):
                raise self.unexpected()
        if not self.here:
            raise missing_brace(begin)
        self.at += 1
        self.leave()
        return s.HashLiteral(tuple(pairs), start=begin, end=self.at)

    def _pair(self, begin: int) -> tuple[s.Expression, s.Statement]:
        word = self.take(_KEY)
        key: s.Expression | None
        if word is None:
            key = self._unary()
        else:
            key = s.StringConstant(word[0], start=word.start(), end=word.end())
        if key is None:
            if _MEMBER_NAME.match(self.text, self.at) is None:
                raise missing_brace(begin, incomplete=False)
            self.take(_MEMBER_NAME)
        self.skip_space()
        if self.here != "=" or key is None:
            raise ParseError(
                "Missing '=' operator after key in hash literal.",
                "MissingEqualsInHashLiteral",
                offset=self.at,
                incomplete=not self.here,
            )
        self.at += 1
        self.skip_lines()
        value = self.statement("}") if self.here and self.here not in ";}" else None
        if value is None:
            raise ParseError(
                "Missing statement after '=' in hash literal.",
                "MissingStatementInHashLiteral",
                offset=self.at,
                incomplete=not self.here,
            )
        return key, value

    # -- members

    def _members(self, value: s.Expression, *, argument: bool = False) -> s.Expression:
        begin = value.start
        while True:
            conditional = self.here == "?" and self.text[self.at + 1 : self.at + 2] in (".", "[")
            at = self.at + conditional
            mark = self.text[at : at + 2]
            if mark == "::" or (mark[:1] == "." and mark != ".."):
                static = mark == "::"
                if argument and self.word_ends(at + 1 + static):
                    return value
                self.at = at + 1 + static
                self.skip_space()
                value = self._member(value, begin, static)
            elif mark[:1] == "[":
                self.at = at
                value = self._index(value, begin)
            else:
                break
        if not argument and isinstance(value, s.Variable | s.Member | s.Index):
            increment = self.take(_INCREMENT)
            if increment is not None:
                sign = "++" if increment[0] == "++" else "--"
                return s.Unary(f"post{sign}", value, start=begin, end=self.at)
        return value

    def _member(self, target: s.Expression, begin: int, static: bool) -> s.Expression:
        at = self.at
        word = self.take(_MEMBER_NAME)
        name: s.Expression | None = None
        if word is not None:
            name = s.StringConstant(word[0], start=at, end=self.at)
        elif self.here and self.here in f"{QUOTES}($":
            name = self._atom(False)
        if name is None:
            raise ParseError(
                "Missing property name after reference operator.",
                "MissingPropertyName",
                offset=self.at,
                incomplete=not self.here,
            )
        if self.here != "(":
            return s.Member(target, name, static, start=begin, end=self.at)
        arguments = self._method_arguments()
        return s.MethodCall(target, name, arguments, static, start=begin, end=self.at)

    def _method_arguments(self) -> tuple[s.Expression, ...]:
        self.at += 1
        arguments: list[s.Expression] = []
        self.skip_lines()
        while self.here != ")":
            item = self.one_expression()
            if item is None and arguments:
                raise ParseError(
                    "Missing expression after ','.",
                    "MissingExpressionAfterToken",
                    offset=self.at,
                    incomplete=not self.here,
                )
            if item is not None:
                arguments.append(item)
            end = self.at
            self.skip_lines()
            if item is not None and self.here == ",":
                self.at += 1
                self.skip_lines()
                if self.here == ")":
                    continue
            elif self.here != ")":
                raise ParseError(
                    "Missing ')' in method call.",
                    "MissingEndParenthesisInMethodCall",
                    offset=end,
                    incomplete=not self.here,
                )
        self.at += 1
        return tuple(arguments)

    def _index(self, target: s.Expression, begin: int) -> s.Index:
        self.at += 1
        self.skip_lines()
        index = self.expression()
        if index is None:
            raise ParseError(
                "Array index expression is missing or not valid.",
                "MissingArrayIndexExpression",
                offset=self.at,
                incomplete=not self.here,
            )
        self.skip_lines()
        if self.here != "]":
            raise ParseError(
                "Missing ']' after array index expression.",
                "MissingEndSquareBracket",
                offset=self.at,
                incomplete=not self.here,
            )
        self.at += 1
        return s.Index(target, index, start=begin, end=self.at)


def _reduce(values: list[s.Expression], pending: list[str], levels: list[int]) -> None:
    """Apply the last operator to the last two values."""
    right = values.pop()
    left = values.pop()
    name = pending.pop()
    levels.pop()
    if name[:2] == "-i" and name[1:] not in ("is", "isnot", "in"):
        name = f"-{name[2:]}"
    values.append(s.Binary(name, left, right, start=left.start, end=right.end))


def _open_type(offset: int) -> ParseError:
    return ParseError(
        "Missing ] at end of attribute or type literal.",
        "EndSquareBracketExpectedAtEndOfAttribute",
        offset=offset,
    )
