"""Organisations: members, roles and invitations."""
