"""Meshes into files for other programs, and what state they are in: `lightning-rast export`."""
