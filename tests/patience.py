"""How long a test waits before it says that nothing comes any more."""

# Seconds by the clock, against waiting for ever alone: on a busy machine a test may take fifty
# times as long as on an idle one, and stand still for a minute.
PATIENCE = 900.0
