"""Export and reconciliation of the journal."""
