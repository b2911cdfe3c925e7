//! What is kept of a scope, and for whom.
