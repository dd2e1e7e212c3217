"""Average recall of object proposals: truth, matching, measures and reports."""
