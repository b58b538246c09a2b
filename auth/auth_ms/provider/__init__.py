"""OAuth 2.1 and OpenID Connect for other applications: clients, tokens, sign-in pages, consent."""
