"""Folders of images: the walk through them, and what their layout says about the images."""
