"""Makes https addresses of objects in S3, Google Cloud Storage and Azure: signed by obstore (extra `object-stores`), or plain ones.

obstore only signs; it fetches nothing. It follows redirects and connects to whatever a name resolves to, so bytes go through our own
client, which checks both.
"""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

from t2s_agent.errors import T2SError
from t2s_agent.scene.remote.address import Address, parse_address, require_https
from t2s_agent.scene.remote.bucket import Buckets, ObjectAddress, Options
from t2s_agent.text import one_line

VALID_S = 3_600.0  # a signature; the client asks for a new one after half of it
EXTRA = 'pip install "t2s-agent[object-stores]"'
_PLAIN = {
    "s3": "https://{bucket}.s3.{region}.amazonaws.com",
    "gs": "https://storage.googleapis.com/{bucket}",
    "az": "https://{account}.blob.core.windows.net/{bucket}",
}
_DOTTED = "https://s3.{region}.amazonaws.com/{bucket}"  # the certificates of S3 hold no names with more dots


def https_address(address: ObjectAddress, buckets: Buckets) -> Address:
    """An https address of an object in an allowed bucket: without a signature where the options say `skip_signature`.

    Raises `remote_refused` for other buckets, before anything else; `model_unavailable` without obstore, and `remote_failed` where it
    cannot sign.
    """
    options = buckets.options_of(address)
    if options.get("skip_signature"):
        return parse_address(f"{_base(address, options)}/{quote(address.key)}")
    obstore = _obstore()
    try:
        store = _store(obstore, address, options)
        url = obstore.sign(store, "GET", address.key, timedelta(seconds=VALID_S))
    except (obstore.exceptions.BaseError, OSError, ValueError) as error:
        why = one_line(str(error).partition("\n")[0], 200)
        raise T2SError(
            "remote_failed",
            f"no address of {one_line(address.shown, 200)!r} could be signed ({why})",
            "Set credentials that can sign in the environment (AWS_*, GOOGLE_APPLICATION_CREDENTIALS with a service account's key, "
            "AZURE_STORAGE_ACCOUNT_KEY), or skip_signature for a public bucket",
        ) from error
    return parse_address(require_https(url))


def _base(address: ObjectAddress, options: Options) -> str:
    if endpoint := str(options.get("endpoint") or ""):
        return f"{endpoint.rstrip('/')}/{address.bucket}"
    region, account = str(options.get("region") or "us-east-1"), str(options.get("account_name") or "")
    if address.scheme == "az" and not account:
        raise T2SError(
            "argument_invalid", f"{address.place} has no account_name", "Add it to its options in object_buckets"
        )
    form = _DOTTED if address.scheme == "s3" and "." in address.bucket else _PLAIN[address.scheme]
    return form.format(bucket=address.bucket, region=region, account=account)


def _store(obstore: Any, address: ObjectAddress, options: Options) -> Any:
    kinds = {"s3": obstore.store.S3Store, "gs": obstore.store.GCSStore, "az": obstore.store.AzureStore}
    return kinds[address.scheme](address.bucket, config=dict(options))


def _obstore() -> Any:
    try:
        import obstore
        import obstore.store
    except ImportError as error:
        raise T2SError(
            "model_unavailable", "obstore, which signs addresses, is not installed", f"Run {EXTRA}"
        ) from error
    return obstore
