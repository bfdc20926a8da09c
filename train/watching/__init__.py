"""How a training goes: held-out pairs, metrics, alarms, and when to stop."""
