"""boto3 on a bucket: multipart, ranges, conditions, copies, odd keys, presigned URLs. Prints what it saw as JSON."""

import hashlib
import io
import json
import sys
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

URL = sys.argv[1]
LARGE = bytes(range(256)) * 65_536  # 16 MB
KEYS = ["plain.txt", "a b+c.txt", "dir/sub/it's (1).txt", "uml\u00e4ut/\u4e2d.bin", "percent%41.txt"]

s3 = boto3.client(
    "s3",
    endpoint_url=URL,
    region_name="us-east-1",
    aws_access_key_id="of-the-test",
    aws_secret_access_key="of-the-test",
    config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
)
seen: list[object] = []


def see(what: object) -> None:
    seen.append(what)


def refused(call, **arguments) -> str:
    try:
        call(**arguments)
    except ClientError as error:
        return f"{error.response['ResponseMetadata']['HTTPStatusCode']} {error.response['Error']['Code']}"
    return "done"


def body(**arguments) -> str:
    return hashlib.sha256(s3.get_object(Bucket="bucket", **arguments)["Body"].read()).hexdigest()


def fetched(url: str, method: str = "GET", data: bytes | None = None) -> list[object]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, data, method=method), timeout=30) as response:
            return [response.status, hashlib.sha256(response.read()).hexdigest()]
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode()[:0]]


s3.create_bucket(Bucket="bucket")
for key in KEYS:
    for text in (b"first", b"second, and longer"):
        put = s3.put_object(Bucket="bucket", Key=key, Body=text, CacheControl="public, max-age=60", Metadata={"a": "b"})
        see(put["ETag"])
        for _ in range(2):
            see(body(Key=key))
        head = s3.head_object(Bucket="bucket", Key=key)
        see([head["ETag"], head["ContentLength"], head["Metadata"], head["CacheControl"]])
    see(refused(s3.get_object, Bucket="bucket", Key=key, IfNoneMatch=put["ETag"]))
    see(refused(s3.get_object, Bucket="bucket", Key=key, IfMatch='"another"'))
    see(refused(s3.get_object, Bucket="bucket", Key=key, IfMatch=put["ETag"]))

fast = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20, max_concurrency=4)
s3.upload_fileobj(io.BytesIO(LARGE), "bucket", "large.bin", Config=fast, ExtraArgs={"CacheControl": "max-age=60"})
for _ in range(2):
    whole = io.BytesIO()
    s3.download_fileobj("bucket", "large.bin", whole, Config=fast)
    see(hashlib.sha256(whole.getvalue()).hexdigest() == hashlib.sha256(LARGE).hexdigest())
for span in ("bytes=0-9", "bytes=-9", "bytes=16777210-", "bytes=100-5000000"):
    answer = s3.get_object(Bucket="bucket", Key="large.bin", Range=span)
    see([answer["ContentRange"], hashlib.sha256(answer["Body"].read()).hexdigest()])
see(refused(s3.get_object, Bucket="bucket", Key="large.bin", Range="bytes=16777216-"))

s3.copy_object(Bucket="bucket", Key="copy.txt", CopySource={"Bucket": "bucket", "Key": "plain.txt"})
see(body(Key="copy.txt"))
for key in ("plain.txt", KEYS[1]):
    url = s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": key}, 60)
    see([fetched(url), fetched(url), fetched(url)])
url = s3.generate_presigned_url("put_object", {"Bucket": "bucket", "Key": "presigned.txt"}, 60)
see(fetched(url, "PUT", b"by a presigned URL"))
see(body(Key="presigned.txt"))

see(sorted(found["Key"] for found in s3.list_objects_v2(Bucket="bucket")["Contents"]))
s3.delete_object(Bucket="bucket", Key="plain.txt")
see(refused(s3.get_object, Bucket="bucket", Key="plain.txt"))
s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": key} for key in KEYS[1:]]})
see(sorted(found["Key"] for found in s3.list_objects_v2(Bucket="bucket")["Contents"]))
print(json.dumps(seen))
