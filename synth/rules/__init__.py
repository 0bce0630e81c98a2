"""Rules that data obey: found or declared, taken out before fitting, true on every sampled row."""
