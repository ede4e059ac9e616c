"""The heads that come with mgc, one file each. They use only what a plug-in may use."""
