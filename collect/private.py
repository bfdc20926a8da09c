"""What the embedded Argilla can do beyond a stock one: its features under /api/v1/prefloop."""

from .argilla import Argilla


def features(argilla: Argilla) -> frozenset[str]:
    """Return the names of the server's features beyond stock Argilla's: none on a stock server.

    Raises:
        UserError: the server can't be reached, or refuses.
    """
    answer = argilla.get_if_there("/prefloop")
    return frozenset(answer["features"] if answer else ())
