"""Genres for a music library: tags, playlists and sorted folders."""
