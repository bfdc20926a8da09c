"""The recipes that ship with prefloop, and the demo's data. YAML and JSON lines only; no logic."""
