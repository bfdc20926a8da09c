"""What the Hub would refuse at the push is refused in the recipe."""

from typing import Any

import pytest
from prefloop.publish import PublishSettings
from pydantic import ValidationError


@pytest.mark.parametrize(
    ("name", "value"),
    [("repo", "no-owner"), ("repo", "a/b/c"), ("license", "Apache 2.0"), ("languages", ["English"]), ("privat", True)],
)
def test_refused(name: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=name):
        PublishSettings.model_validate({name: value})


def test_accepted() -> None:
    settings = PublishSettings(repo="me/my_model-1.5", license="cc-by-sa-4.0", languages=("en", "deu"))
    assert settings.private


def test_nothing_is_public_or_licensed_by_default() -> None:
    settings = PublishSettings()
    assert (settings.private, settings.license, settings.merged) == (True, None, False)
