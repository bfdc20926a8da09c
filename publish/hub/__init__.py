"""The Hugging Face Hub: releases go up, come back and are listed. Nothing else of publishing talks to it."""

from .fetch import Fetched, Listed, fetch, list_releases
from .plan import Kind, Plan, plan_push
from .push import Pushed, push_folder

__all__ = ["Fetched", "Kind", "Listed", "Plan", "Pushed", "fetch", "list_releases", "plan_push", "push_folder"]
