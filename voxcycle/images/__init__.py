"""The lecture's systems on images: image sets, batches, training, sampling."""
