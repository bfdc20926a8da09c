"""Several processes as one training, and what can befall them."""
