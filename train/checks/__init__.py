"""What is looked at before a training costs anything, before its first step, and after its last."""
