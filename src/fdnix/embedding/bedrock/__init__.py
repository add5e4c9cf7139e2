"""Vectors from Amazon Bedrock: in batches for a catalogue, on demand for queries."""
