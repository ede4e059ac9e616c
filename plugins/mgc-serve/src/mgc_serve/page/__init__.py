"""The page: templates, scripts and styles, all of them vendored."""
