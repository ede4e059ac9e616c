"""The built-in ensemble strategies; they import only what a stranger's plug-in may import."""
