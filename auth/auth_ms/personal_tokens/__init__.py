"""Personal access tokens: what a user's machines call with, where OAuth is too much."""
