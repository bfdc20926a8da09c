"""A trained model for what people serve models with: files in its form, and the commands that run it."""
