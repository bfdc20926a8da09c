"""The same numbers sooner: references computed once, prompts encoded once, pairs side by side, layers compiled."""
