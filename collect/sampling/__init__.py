"""Where candidates come from, and which pairs of them people are asked about."""
