"""What the apps share: messages, bus, journal, FIX sessions, settings, metrics, clock."""
