"""Music and audio encoders for mgc."""
