"""Ways back in, and proofs of addresses: password reset, email and phone verification."""
