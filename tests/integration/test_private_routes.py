"""Routes beside Argilla's own: who may ask, and what a server without them answers."""

import pytest
from prefloop.collect import Argilla
from prefloop.collect.queues.private import features
from prefloop.errors import UserError


def test_the_embedded_server_names_its_features_to_whoever_is_logged_in(argilla):
    with Argilla(argilla.url, argilla.api_key) as owner:
        assert features(owner) >= {"bulk", "changes"}
    with Argilla(argilla.url, "not-the-key") as stranger, pytest.raises(UserError, match="does not know this API key"):
        features(stranger)
