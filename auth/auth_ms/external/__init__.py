"""Sign-in with other OpenID providers: the providers, the identities that users have there, and the flow."""
