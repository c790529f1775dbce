"""Checks the golden vectors with two other implementations of COSE.

pip install cwt pycose && python3 check.py
"""

import hashlib
import json
import pathlib

import cbor2
import cwt
from pycose.headers import KID
from pycose.keys import CoseKey
from pycose.messages import CoseMessage

HERE = pathlib.Path(__file__).parent
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def load(name):
    return json.loads((HERE / name).read_text())


def base45(text):
    """RFC 9285, from its own words."""
    out = bytearray()
    for start in range(0, len(text), 3):
        digits = [ALPHABET.index(character) for character in text[start : start + 3]]
        value = sum(digit * 45**place for place, digit in enumerate(digits))
        out += value.to_bytes(len(digits) - 1, "big")
    return bytes(out)


def check(vector, cose_keys, jwks):
    cose = base45(vector["token"].removeprefix("EV1:"))
    assert cose.hex() == vector["cose"]
    assert hashlib.sha256(cose).hexdigest() == vector["tokenHash"]

    message = CoseMessage.decode(cose)
    message.key = cose_keys[message.phdr[KID]]
    assert message.verify_signature(), vector["name"]

    payload = cwt.COSE.new().decode(cose, keys=jwks)
    claims = payload if isinstance(payload, dict) else cbor2.loads(payload)
    assert claims == {
        4: vector["claims"]["expiry"],
        5: vector["claims"]["notBefore"],
        7: bytes.fromhex(vector["claims"]["ticket"].replace("-", "")),
        -65537: bytes.fromhex(vector["claims"]["performance"].replace("-", "")),
        -65538: vector["claims"]["category"],
        -65539: vector["claims"]["revision"],
    }, vector["name"]


def main():
    published = load("keys.json")["keySet"]
    cose_keys = {}
    for key in cbor2.loads(bytes.fromhex(published["publishedCoseKeySet"])):
        cose_keys[key[2]] = CoseKey.decode(cbor2.dumps(key))
    jwks = [cwt.COSEKey.from_jwk(jwk) for jwk in published["publishedJwks"]["keys"]]
    vectors = load("tokens.json")
    for vector in vectors:
        check(vector, cose_keys, jwks)
    print(f"{len(vectors)} tokens verified by pycose and by cwt")


if __name__ == "__main__":
    main()
