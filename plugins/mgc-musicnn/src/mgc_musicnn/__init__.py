"""musicnn, a pretrained music tagger, as features for mgc."""
