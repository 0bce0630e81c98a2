"""The least a publisher needs on its bucket, as an IAM policy to paste."""

from __future__ import annotations

import json
from typing import Any


def bucket_policy(bucket: str, prefix: str) -> dict[str, Any]:
    """Return the IAM policy with the least rights that a publisher needs.

    Args:
        bucket: Name of the bucket.
        prefix: Prefix of the sandbox in it; empty for the whole bucket.
    """
    arn = f"arn:aws:s3:::{bucket}"
    below = f"{prefix}/*" if prefix else "*"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ListSandbox",
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": arn,
                "Condition": {"StringLike": {"s3:prefix": below}},
            },
            {
                "Sid": "ListUnfinishedUploads",
                "Effect": "Allow",
                "Action": ["s3:ListBucketMultipartUploads"],
                "Resource": arn,
            },
            {
                "Sid": "WriteSandbox",
                "Effect": "Allow",
                "Action": [
                    "s3:GetObject",
                    "s3:PutObject",
                    "s3:DeleteObject",
                    "s3:AbortMultipartUpload",
                ],
                "Resource": f"{arn}/{below}",
            },
        ],
    }


def policy_text(bucket: str, prefix: str) -> str:
    """Return the policy as text for an error message's note."""
    policy = json.dumps(bucket_policy(bucket, prefix), indent=2)
    return f"The least-privilege policy for a publisher:\n{policy}"
