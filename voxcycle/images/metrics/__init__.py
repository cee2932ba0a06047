"""Measurements of images and of latents."""
