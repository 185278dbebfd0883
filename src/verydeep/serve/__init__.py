"""An HTTP server for one network: predictions, embeddings and heat maps of uploaded images, and a page."""
