"""An adapter merged into its base, and whether the result still says the same."""
