"""From folders of recordings to trained voices: corpus, crops, trainings, clones."""
