"""Models in, an honest report out."""

if __name__ == "evaluate":
    raise ModuleNotFoundError(
        "prefloop's evaluate/ folder is shadowing Hugging Face's `evaluate`: the repository root is on sys.path. "
        "Run console scripts (`pytest`, `prefloop`, `lm-eval`) instead of `python -m …`, or leave this directory."
    )
