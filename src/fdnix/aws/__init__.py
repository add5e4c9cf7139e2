"""Amazon Web Services: artifacts in S3, Bedrock batch inference, the Lambda layer."""
