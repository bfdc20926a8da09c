"""Chatbot Arena's conversations and MT-Bench's human judgments: two models side by side, people's votes.

Read as in huggingface.co/datasets/lmsys/chatbot_arena_conversations (README.md at 1b6335d) and
huggingface.co/datasets/lmsys/mt_bench_human_judgments (README.md at f7d2896): `question_id`, `model_a`, `model_b`,
`winner` (model_a, model_b, tie, or tie (bothbad)), `judge`, `conversation_a`, `conversation_b`, `turn`, and in the
arena `anony`, `language` and `tstamp`. What is left out follows FastChat's clean_battle_data.py (arXiv 2403.04132).

From the second turn on each model has its own history, so there is no one prompt that both answered: such votes can't
be preference pairs and are refused, unless the histories are the same.
"""

from collections.abc import Mapping
from functools import partial

from ...runs import Progress, silent
from ..item import Item, Message
from ..sampling.hygiene import flaw
from ..vote import Vote
from .fields import checked_text, choice, conversation, last_answer, maybe_text, moment, name, value, well_formed, whole
from .imported import About, Imported, Options, Refused, Row, Taken, gather, vote_id, written_by
from .reading import read_rows

ARENA = About(
    "arena",
    "lmsys/chatbot_arena_conversations",
    "visitors of Chatbot Arena asked two anonymous models and chose the better answer, tie, or both bad",
    "CC-BY-4.0 (prompts), CC-BY-NC-4.0 (model outputs)",
    "the answers may not be used commercially; some conversations are unsafe or upsetting; seek no identities",
)
MT_BENCH = About(
    "mt-bench",
    "lmsys/mt_bench_human_judgments",
    "experts, mostly graduate students, chose the better of two answers to MT-Bench's questions, or a tie",
    "CC-BY-4.0",
    "MT-Bench's questions: do not train on them and then report MT-Bench",
)
UNFINISHED = ("▌", '<span class="cursor">')
"""What the page writes at the end of an answer that is still being written."""
UNFIT = ("empty", "error message", "names its maker")
"""Other flaws, such as going round in circles, were the model's own and fairly judged."""
WINNERS = ("model_a", "model_b", "tie", "tie (bothbad)")


def import_arena(place: str, options: Options, *, progress: Progress = silent) -> Imported:
    """Import Chatbot Arena's votes. Raises UserError where the file can't be read."""
    take = partial(take_row, about=ARENA)
    return gather(ARENA, read_rows(place, options), options, take, progress=progress)


def import_mt_bench(place: str, options: Options, *, progress: Progress = silent) -> Imported:
    """Import MT-Bench's human votes; name the split, since the other one holds GPT-4's. Raises as `import_arena`."""
    take = partial(take_row, about=MT_BENCH)
    return gather(MT_BENCH, read_rows(place, options), options, take, progress=progress)


def take_row(row_id: str, row: Row, *, about: About) -> Taken:
    """Turn one vote into an item and the vote."""
    if value(row, "anony") is False:
        raise Refused("the models' names were shown (anony is false)")
    winner = value(row, "winner")
    if winner not in WINNERS:
        raise Refused("winner is none of " + ", ".join(WINNERS))
    prompt, a, b = _answers(row)
    _clean(prompt, (a, b))
    question = name(row, "question_id")
    if question is None:
        raise Refused("question_id is missing")
    place = f"{question}:{whole(row, 'turn', 1, 100) or 1}"
    models = [checked_text(value(row, column), column) for column in ("model_a", "model_b")]
    first, second = (written_by(model, about.name, place) for model in models)
    language = maybe_text(row, "language")
    tags = (f"language:{language}",) if language else ()
    item = well_formed(Item(prompt, a, b, first, second, tags))
    when = moment(row, "tstamp")
    vote = Vote(
        item.id,
        _judge(row, about),
        choice(winner, {}, "winner"),
        # In the arena, model A's answer stands left of model B's; MT-Bench's page is not described.
        "A" if about is ARENA else None,
        id=vote_id(about.name, row_id),
        inserted_at=when,
        updated_at=when,
    )
    return Taken((item,), (vote,))


def _answers(row: Row) -> tuple[tuple[Message, ...], str, str]:
    """Return what both models were asked, and their answers in the turn that was judged."""
    turn = whole(row, "turn", 1, 100) or 1
    sides = []
    for column in ("conversation_a", "conversation_b"):
        messages = conversation(value(row, column), column)
        asked = [place for place, message in enumerate(messages) if message.role == "user"]
        if len(asked) < turn:
            raise Refused(f"{column} has fewer turns than the vote says")
        end = asked[turn] if turn < len(asked) else len(messages)
        prompt, answer = last_answer(messages[:end], column)
        sides.append((prompt, answer))
    if sides[0][0] != sides[1][0]:
        raise Refused(
            "a vote on a later turn: the models' histories differ"
            if turn > 1
            else "the two conversations differ before the answer"
        )
    return sides[0][0], sides[0][1], sides[1][1]


def _clean(prompt: tuple[Message, ...], answers: tuple[str, str]) -> None:
    asked = "\n".join(message.content for message in prompt)
    for answer in answers:
        if any(mark in answer for mark in UNFINISHED):
            raise Refused("an answer is unfit: unfinished")
        if (found := flaw(answer, asked)) in UNFIT:
            raise Refused(f"an answer is unfit: {found}")


def _judge(row: Row, about: About) -> str:
    found = value(row, "judge")
    if isinstance(found, Mapping | list):
        raise Refused("judge is not a name")
    judge = name(row, "judge")
    if judge is None:
        raise Refused("judge is missing")
    return judge if about is ARENA else f"mt-bench-{judge}"
