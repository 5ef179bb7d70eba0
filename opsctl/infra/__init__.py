"""Infrastructure that Pulumi declares: planned, guarded, made, looked after, and taken away."""
