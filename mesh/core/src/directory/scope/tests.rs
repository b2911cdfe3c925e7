//! Names of scopes, who follows which, and what a commit is to each.
