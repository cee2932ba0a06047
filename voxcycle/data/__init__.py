"""From folders of recordings to training batches."""
