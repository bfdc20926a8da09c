"""How much each vote weighs in the loss, and what a tie says."""
