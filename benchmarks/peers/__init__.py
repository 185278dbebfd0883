"""What `speedrun.py` is run beside."""
