"""The extractors that ship with mgc; they import only what a stranger's plug-in may import."""
