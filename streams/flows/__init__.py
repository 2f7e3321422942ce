"""The business flows, pure: one file per flow, and what they share (shape, conditions, plan)."""
