"""What a user can fix.

UserError                     one paragraph: what, the value, where, what to do. Exit code 2, no traceback.
└── Problems                  several of them, found in one file or one check, shown together

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
