"""Sentences that claim something of a model, found by English patterns, and which of them a report holds.

It finds the usual words of model cards (better than, beats, state of the art, 85% of comparisons, 3x faster, safe), not
every way to boast, and it reads no other language. What it lets pass is not proven by that.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...evaluate.report import Report
from .numbers import Pool

NAMES = "GPT|ChatGPT|Claude|Gemini|Llama|Mistral|Mixtral|Qwen|DeepSeek|Phi|Grok|Gemma|OLMo|SmolLM|Falcon|Command"
OTHERS = rf"(?:{NAMES})\b[\w.-]*(?<![.-])"
BASE = r"\b(?:its|the|their|our|this model's)\s+(?:own\s+)?(?:base|untuned|original|starting|parent)\b|\bbase model\b"
RIVAL = (
    rf"(?:the\s+|its\s+|all\s+|any\s+|every\s+|most\s+|other\s+|much\s+|many\s+|far\s+)*"
    rf"(?:base|untuned|original|baselines?|larger|bigger|models?|LLMs?|humans?|people|experts?|competitors?|alternatives|"
    rf"state|previous|prior|{OTHERS})"
)
SUPERLATIVE = (
    r"\bstate[- ]of[- ]the[- ]art\b|\bSOTA\b|\bbest[- ](?:in[- ]class|performing)\b|\bworld[- ]class\b|"
    r"\bcutting[- ]edge\b|"
    r"\btop[- ]performing\b|\bunmatched\b|\bunrival+ed\b|\bunparalleled\b|\bsecond to none\b|"
    r"\b(?:is|are|remains|among|currently|by far|probably)\s+the\s+(?:\w+\s+)?best\b|"
    r"\bthe\s+(?:best|smartest|fastest|strongest|safest|leading)\s+(?:\w+\s+){0,2}(?:models?|adapters?|assistants?|LLMs?)\b|"
    r"\bmost\s+(?:accurate|capable|powerful|advanced|reliable|helpful|efficient)\b|"
    r"\b(?:no other|nothing)\b[^.]{0,30}\b(?:beats|outperforms|comes close)\b"
)
BEATS = (
    r"\bout-?perform(?:s|ed|ing)?\b|\bsurpass(?:es|ed|ing)?\b|\boutclass(?:es|ed)?\b|\boutshines?\b|"
    rf"\b(?:beats?|beating|exceeds?|tops|rivals|defeats?|overtakes?|crushes)\s+{RIVAL}|"
    rf"\bimproves? (?:on|over|upon)\s+{RIVAL}|\bimprovements? over\s+{RIVAL}|\b(?:superior to|ahead of)\s+{RIVAL}"
)
THAN = (
    r"\b(?P<more>better|faster|smarter|stronger|cheaper|safer|smaller|shorter|briefer|longer|(?:more|less)\s+\w+)"
    r"(?:\s+(?!than\b)[\w-]+){0,4}\s+than\b(?!\s*(?:\d|one\b|two\b|a few\b))"
)
PREFERRED = (
    r"\b(?:preferred|favou?red)\s+(?:by|over|to)\b|"
    r"\b(?:people|humans?|users|annotators|customers|experts)\s+(?:\w+\s+)?(?:prefer|favou?r)\b"
)
EQUALS = (
    rf"\bon par with\b|\bmatch(?:es|ing)?\s+(?:the\s+)?(?:quality|performance|accuracy|{RIVAL})|"
    rf"\bcomparable (?:to|with)\s+{RIVAL}|\bcompetitive with\b|\bas (?:good|accurate|capable|smart|fast|safe) as\b|"
    r"\b(?:GPT-?[\w.]+|human|expert|frontier)[- ]level\b|\bnear-human\b|\bsuper-?human\b|\brivals?\s+(?:human|GPT)"
)
TRAIT = r"(?:safe|harmless|unbiased|bias-free|reliable|trustworthy|accurate|truthful|factual|robust|compliant|secure)"
QUALITY = (
    rf"\b(?:is|are|stays?|remains?|it's)\s+(?:\w+ly\s+|very\s+|quite\s+|proven\s+)?{TRAIT}\b|"
    rf"\b(?:completely|fully|entirely|perfectly|always|guaranteed|highly|very|provably)\s+{TRAIT}\b|"
    rf"\b{TRAIT}(?:,|\s+and)\s+\w+\s+(?:answers?|replies|responses|advice|outputs?|model|assistant|results)\b|"
    rf"\b{TRAIT}\s+(?:answers?|replies|responses|advice|outputs?|model|assistant|results)\b|"
    r"\b(?:bias|hallucination|error)-free\b|\bflawless(?:ly)?\b|\b(?:production|enterprise)-(?:ready|grade)\b|"
    r"\bnever (?:hallucinates?|wrong|lies|fails|errs|makes mistakes)\b|\bno hallucinations\b|"
    r"\b(?:doesn't|does not) (?:hallucinate|make mistakes)\b|\balways (?:right|correct|true)\b|\bguarante(?:e|es|ed)\b|"
    r"\b(?:GDPR|HIPAA)[- ]compliant\b"
)
TIMES = (
    r"\b\d+(?:\.\d+)?\s?(?:x|\N{MULTIPLICATION SIGN}|times)\s+(?:\w+\s+)?"
    r"(?:faster|slower|smaller|cheaper|better|more|less|fewer|as|the)\b|"
    r"\b(?:twice|half|ten times|hundred times|orders? of magnitude)\s+(?:as|the|better|faster|cheaper|smaller)\b"
)
PER_CENT = r"\d+(?:\.\d+)?\s?(?:%|per ?cent\b|percentage points\b|points\b)"
ABOUT = (
    r"accura\w+|correct\w*|right|wrong|better|worse|wins?|won|win rate|prefer\w*|comparisons|cases|of the time|faster|"
    r"less|fewer|more|agree\w*|improv\w*|reduc\w*|scor\w+|pass\w*|success\w*|prompts|answers|questions"
)
SHARE = rf"(?P<share>{PER_CENT})(?=[^.;]{{0,60}}\b(?:{ABOUT})\b)|\b(?:{ABOUT})\b[^.;]{{0,40}}?(?P<after>{PER_CENT})"
SCORE = (
    r"\b(?:accuracy|F1|BLEU|ROUGE(?:-\w+)?|MT-Bench|MMLU|IFEval|AlpacaEval|GSM8K|win[- ]rate|scor(?:es?|ing))\b"
    r"[^.;\d]{0,25}?(?P<score>\d+(?:\.\d+)?)(?![\w%.]*\d)"
)
NOT = re.compile(
    r"\b(?:not|no|never|cannot|without|neither|nor|hardly|nobody|none|don't|doesn't|isn't|aren't|can't|won't|wasn't|"
    r"unknown|untested|unproven|whether|if|unless|avoid|rather)\b(?!\s+only\b)",
    re.IGNORECASE,
)
"""Words before a pattern that turn a claim into its opposite, or into a question."""
SORTS = re.compile(r"\b(?:classif\w+|detects?|flags?|labels?|judges?|decides?|rates?|sorts?|picks?|asks?|says which)\b")
"""A job that is about good answers claims none."""
LENGTHS = {"shorter", "briefer", "longer"}
ANSWERS = re.compile(r"\b(?:answers?|repl(?:y|ies)|responses?|outputs?|texts?|it)\b", re.IGNORECASE)
"""Whose length is measured."""
ELSEWHERE = "the report compares this model with its base and nothing else: leave it out"
UNMEASURED = "no part of the report measures that: leave it out, or give the number that you mean"


@dataclass(frozen=True, slots=True)
class Claim:
    """Words that the report does not hold."""

    words: str
    why: str
    """And what to do."""
    place: int
    """Of its first character in the text."""


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    pattern: re.Pattern[str]


KINDS = tuple(
    _Kind(name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("superlative", SUPERLATIVE), ("times", TIMES), ("beats", BEATS), ("than", THAN), ("preferred", PREFERRED),
        ("equals", EQUALS), ("quality", QUALITY), ("share", SHARE), ("score", SCORE),
    )
)  # fmt: skip


def unproven(text: str, report: Report, pool: Pool, base_name: str) -> list[Claim]:
    """Return the claims in a text that the report does not hold, in their order.

    Args:
        text: Plain English, without Markdown.
        report: What was measured.
        pool: The report's numbers.
        base_name: What the base model is called.
    """
    found: list[Claim] = []
    for begin, sentence in _sentences(text):
        for claim in _in_sentence(sentence, report, pool, base_name):
            taken = any(abs(claim.place + begin - other.place) < 3 for other in found)
            if not taken:
                found.append(Claim(claim.words, claim.why, claim.place + begin))
    return sorted(found, key=lambda claim: claim.place)


def _sentences(text: str) -> Iterator[tuple[int, str]]:
    for found in re.finditer(r"[^.!?\n]*(?:[.!?](?=\w)[^.!?\n]*)*[.!?\n]?", text):
        if found[0].strip() and not found[0].rstrip().endswith("?"):
            yield found.start(), found[0]


def _in_sentence(sentence: str, report: Report, pool: Pool, base_name: str) -> Iterator[Claim]:
    for kind in KINDS:
        for found in kind.pattern.finditer(sentence):
            before = re.split(r"[;:,]\s|\bbut\b", sentence[: found.start()])[-1]
            if NOT.search(before) or (kind.name in {"quality", "superlative", "than"} and SORTS.search(before.lower())):
                continue
            if why := _why(kind.name, found, sentence, report, pool, base_name):
                yield Claim(" ".join(found[0].split()), why, found.start())


def _why(kind: str, found: re.Match[str], sentence: str, report: Report, pool: Pool, base_name: str) -> str | None:
    """Say why the report doesn't hold it; None where it does."""
    if kind in {"superlative", "equals"}:
        return ELSEWHERE
    if kind in {"quality", "times"}:
        return UNMEASURED
    if kind in {"share", "score"}:
        return _number(found, pool)
    if kind == "preferred":
        return _preferred(found[0].lower(), report)
    return _compared(found, sentence, report, base_name)


def _compared(found: re.Match[str], sentence: str, report: Report, base_name: str) -> str | None:
    if (found.groupdict().get("more") or "").lower() in LENGTHS and not ANSWERS.search(sentence):
        return None
    short = re.escape(base_name.rpartition("/")[2])
    rest = sentence[found.start() :]
    names = re.sub(rf"{re.escape(base_name)}|{short}", "the base model", rest, flags=re.IGNORECASE)
    if re.search(OTHERS, names, re.IGNORECASE) or not re.search(BASE, names, re.IGNORECASE):
        return ELSEWHERE
    more = (found.groupdict().get("more") or "better").lower()
    if more in LENGTHS:
        change = report.lengths.difference
        shown = change.low > 0 if more == "longer" else change.high < 0
        return None if shown else f"the report doesn't show its answers to be {more}: leave it out"
    if more not in {"better", "more often"}:
        return UNMEASURED
    if report.verdict == "better":
        return None
    return f"the report's verdict against the base is “{report.verdict}”: say that, or leave it out"


def _preferred(words: str, report: Report) -> str | None:
    people = report.humans is not None and report.humans.verdict == "better"
    if people and not re.search(r"\b(?:users|customers|experts)\b", words):
        return None
    if "annotators" in words and report.verdict == "better":
        return None
    return (
        "no round of people in the report shows that: leave it out, or ask people (`prefloop humans`) and publish again"
    )


def _number(found: re.Match[str], pool: Pool) -> str | None:
    groups = found.groupdict()
    text = groups.get("share") or groups.get("after") or groups.get("score") or ""
    digits = re.match(r"[\d.]*\d", text)
    if digits is None or pool.holds(digits[0]):
        return None
    nearest = pool.nearest(digits[0])
    return f"{digits[0]} stands nowhere in the report; {nearest}: give the report's number, or leave it out"
