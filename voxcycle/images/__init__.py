"""The lecture on images: image sets, systems, training and use."""
