"""People's accounts: who they are and how to reach them."""
