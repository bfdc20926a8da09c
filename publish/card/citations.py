"""How the base model and the methods want to be cited."""

import re

from ... import __version__

BASES: tuple[tuple[str, str], ...] = (
    (
        r"SmolLM2",
        """\
@misc{allal2025smollm2,
    title  = {SmolLM2: When Smol Goes Big -- Data-Centric Training of a Small Language Model},
    author = {Loubna Ben Allal and others},
    year   = {2025},
    eprint = {2502.02737},
    archivePrefix = {arXiv}
}""",
    ),
    (
        r"Qwen2\.5",
        """\
@misc{qwen2024qwen25,
    title  = {Qwen2.5 Technical Report},
    author = {{Qwen Team}},
    year   = {2024},
    eprint = {2412.15115},
    archivePrefix = {arXiv}
}""",
    ),
    (
        r"Qwen3",
        """\
@misc{qwen2025qwen3,
    title  = {Qwen3 Technical Report},
    author = {{Qwen Team}},
    year   = {2025},
    eprint = {2505.09388},
    archivePrefix = {arXiv}
}""",
    ),
    (
        r"Llama-?3",
        """\
@misc{grattafiori2024llama3,
    title  = {The Llama 3 Herd of Models},
    author = {Aaron Grattafiori and others},
    year   = {2024},
    eprint = {2407.21783},
    archivePrefix = {arXiv}
}""",
    ),
    (
        r"OLMo-2",
        """\
@misc{olmo2024two,
    title  = {2 OLMo 2 Furious},
    author = {{Team OLMo}},
    year   = {2024},
    eprint = {2501.00656},
    archivePrefix = {arXiv}
}""",
    ),
)
"""By what stands in the base's name; each paper as arXiv lists it."""
DPO = """\
@inproceedings{rafailov2023direct,
    title     = {Direct Preference Optimization: Your Language Model is Secretly a Reward Model},
    author    = {Rafael Rafailov and Archit Sharma and Eric Mitchell and Christopher D. Manning and Stefano Ermon and \
Chelsea Finn},
    booktitle = {Advances in Neural Information Processing Systems 36 (NeurIPS 2023)},
    year      = {2023},
    url       = {https://arxiv.org/abs/2305.18290}
}"""
TRL = """\
@software{vonwerra2020trl,
    title   = {{TRL: Transformers Reinforcement Learning}},
    author  = {von Werra, Leandro and Belkada, Younes and Tunstall, Lewis and Beeching, Edward and Thrush, Tristan and \
Lambert, Nathan and Huang, Shengyi and Rasul, Kashif and Gallouédec, Quentin},
    license = {Apache-2.0},
    url     = {https://github.com/huggingface/trl},
    year    = {2020}
}"""
LORA = """\
@inproceedings{hu2022lora,
    title     = {{LoRA}: Low-Rank Adaptation of Large Language Models},
    author    = {Edward J. Hu and Yelong Shen and Phillip Wallis and Zeyuan Allen-Zhu and Yuanzhi Li and Shean Wang \
and Lu Wang and Weizhu Chen},
    booktitle = {International Conference on Learning Representations (ICLR)},
    year      = {2022},
    url       = {https://arxiv.org/abs/2106.09685}
}"""
PREFLOOP = """\
@software{{prefloop,
    title   = {{prefloop: small models tuned on people's preferences, with the evidence}},
    version = {{{version}}},
    license = {{Apache-2.0}}
}}"""


def citations(base_name: str, *, whole: bool) -> list[str]:
    """Return BibTeX entries: the base's where its family is known, the methods', and prefloop's."""
    base = [entry for pattern, entry in BASES if re.search(pattern, base_name, flags=re.IGNORECASE)]
    methods = [DPO, TRL] if whole else [DPO, TRL, LORA]
    return [*base, *methods, PREFLOOP.format(version=__version__)]
