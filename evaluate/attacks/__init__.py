"""Answers that try to win without being better, and how often a judge falls for them."""
