"""The model card: text, metadata and pictures, all from the evidence."""
