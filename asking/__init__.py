"""Questions to models, behind an endpoint or on this machine: many at once, asked once, paid for once.

The one place that talks to an OpenAI-compatible endpoint. Replies go into a store, a file of JSON lines, as they come.
"""

from .cost import CostEstimate, describe_cost, estimate_cost
from .endpoint import ask
from .local import answer_locally
from .message import Message
from .question import Question, Reply, make_question, read_replies
from .settings import EndpointSettings

__all__ = [
    "CostEstimate",
    "EndpointSettings",
    "Message",
    "Question",
    "Reply",
    "answer_locally",
    "ask",
    "describe_cost",
    "estimate_cost",
    "make_question",
    "read_replies",
]
