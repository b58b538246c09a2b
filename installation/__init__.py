"""What each installation has of its own: services, secrets, broker users. Every image has it, to make secrets."""
