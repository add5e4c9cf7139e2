"""An AWS of one's own: S3, Lambda and Bedrock on loopback ports, until interrupted.

    PYTHONPATH=src:tests python -m support.local_aws --bucket fdnix-local > local-aws.env

prints the environment that leads boto3 and fdnix to them, one NAME=value a line.
"""

from __future__ import annotations

import signal

import boto3
import click

from support.bedrock_server import ACCOUNT, REGION, BedrockServer
from support.moto_server import MotoServer


@click.command()
@click.option("--bucket", default="fdnix-local", show_default=True, help="A bucket to create.")
@click.option("--s3-port", default=0, help="The port of S3 and Lambda; 0 takes a free one.")
@click.option("--bedrock-port", default=0, help="The port of Bedrock; 0 takes a free one.")
def main(*, bucket: str, s3_port: int, bedrock_port: int) -> None:
    """Run a local AWS and print the environment that leads to it."""
    moto = MotoServer(s3_port)
    moto.start()
    bedrock = BedrockServer(moto.url, bedrock_port)
    bedrock.start()
    s3 = boto3.client(
        "s3",
        endpoint_url=moto.url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    s3.create_bucket(Bucket=bucket)
    environment = {
        "AWS_ENDPOINT_URL": moto.url,
        "AWS_ENDPOINT_URL_BEDROCK": bedrock.url,
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": bedrock.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": REGION,
        "ARTIFACTS_BUCKET": bucket,
        "BEDROCK_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/fdnix-bedrock-batch",
        "BEDROCK_POLL_INTERVAL": "1",
    }
    for name, value in environment.items():
        click.echo(f"{name}={value}")
    signal.pause()


if __name__ == "__main__":
    main()
