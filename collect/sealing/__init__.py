"""What must not meet: sealed prompts and training, training and evaluation data, personal data and anybody."""
