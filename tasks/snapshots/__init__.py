"""The sandbox: snapshots that are whole or not there."""
