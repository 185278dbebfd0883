"""The web page of ``verydeep serve`` and of ``verydeep export --to web``."""
