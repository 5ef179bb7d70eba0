"""The pipeline: observe, plan, apply, health, verify, evidence; locks, resume, rollback."""
