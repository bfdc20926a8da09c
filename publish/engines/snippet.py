"""The code that a card shows for loading its model; a test runs it as it stands."""

import json

from ...collect import Message
from ..evidence import Evidence
from ..settings import PublishSettings

GENERATE = """\
messages = {messages}
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
with torch.inference_mode():
    output = model.generate(**inputs, max_new_tokens={tokens}, do_sample=False)
print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))"""

PEFT = """\
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = {base}{base_comment}
adapter = {adapter}{adapter_comment}
tokenizer = AutoTokenizer.from_pretrained(adapter)
model = AutoModelForCausalLM.from_pretrained(base, {revision}dtype=torch.bfloat16)
model = PeftModel.from_pretrained(model, adapter).eval()

"""

WHOLE = """\
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

model = {adapter}{adapter_comment}
tokenizer = AutoTokenizer.from_pretrained(model)
model = AutoModelForCausalLM.from_pretrained(model, dtype=torch.bfloat16).eval()

"""

MERGED = """\
import torch
{import_download}from transformers import AutoModelForCausalLM, AutoTokenizer

merged = {merged}
tokenizer = AutoTokenizer.from_pretrained(merged)
model = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.bfloat16).eval()

"""


def load_released(evidence: Evidence, settings: PublishSettings) -> str:
    """Return Python that loads what was trained, an adapter on its base or a whole model, and answers one prompt."""
    if evidence.adapter.whole:
        return WHOLE.format(**_adapter(settings)) + _generate(evidence)
    hub = evidence.base.source == "hub"
    return PEFT.format(
        base=json.dumps(evidence.base_name),
        base_comment="  # a local folder: put your own copy's path here" if evidence.base.source == "folder" else "",
        revision=f"revision={json.dumps(evidence.base.revision)}, " if hub else "",
        **_adapter(settings),
    ) + _generate(evidence)


def load_merged(evidence: Evidence, settings: PublishSettings) -> str:
    """Return Python that loads the merged model and answers one prompt.

    Its folder is named outright: with `subfolder=`, transformers finds the adapter beside it and loads that instead.
    """
    if settings.repo is None:
        code = MERGED.format(import_download="", merged='"merged"  # in the folder that holds this card')
    else:
        download = f'snapshot_download({json.dumps(settings.repo)}, allow_patterns="merged/*") + "/merged"'
        code = MERGED.format(import_download="from huggingface_hub import snapshot_download\n", merged=download)
    return code + _generate(evidence)


def _adapter(settings: PublishSettings) -> dict[str, str]:
    if settings.repo:
        return {"adapter": json.dumps(settings.repo), "adapter_comment": ""}
    return {"adapter": '"."', "adapter_comment": "  # the folder that holds this card"}


def asked_messages(evidence: Evidence) -> list[dict[str, str]]:
    """Return a prompt of the job's own form, since a narrow model is at home in no other."""
    if evidence.report.examples:
        prompt = evidence.report.examples[0].prompt
    else:  # nobody agreed to publish a prompt: show only what comes before the user's own
        system = [message for message in evidence.training[0].prompt if message.role == "system"]
        prompt = (*system, Message("user", "Put a message of the job's own kind here."))
    return [{"role": message.role, "content": message.content} for message in prompt]


def _generate(evidence: Evidence) -> str:
    return GENERATE.format(
        messages=json.dumps(asked_messages(evidence), indent=4, ensure_ascii=False),
        tokens=evidence.report.how.settings["max_new_tokens"],
    )
