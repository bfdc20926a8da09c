"""What a user can fix.

UserError                     one paragraph: what, the value, where, what to do. Exit code 2, no traceback.
└── Problems                  several of them, found in one file or one check, shown together
Interrupted                   someone, or the machine's scheduler, asked to stop. Exit code 128 + the signal's number.

Anything else that escapes is a bug and keeps its traceback.
"""

from collections.abc import Sequence


class UserError(Exception):
    """Something the user can fix; `str()` of it is the whole message."""


class Problems(UserError):
    """All problems of one thing at once, so that nobody mends a file line by line."""

    def __init__(self, what: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([f"{what}:", *(f"  {problem}" for problem in problems)]))


class Interrupted(Exception):
    """Someone asked to stop, and it was done tidily; `str()` says how to go on."""

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message)
