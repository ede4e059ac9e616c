"""The plug-in contract, and how installed plug-ins are found."""
