"""The lab's certificate authority, made anew for each lab."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_PEM = serialization.Encoding.PEM


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject, issuer, public_key, days=(0, 7)):
    """Valid from one day to another, counted from now."""
    now = datetime.datetime.now(datetime.UTC)
    first, last = (now + datetime.timedelta(days=d) for d in days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(first - datetime.timedelta(minutes=5))
        .not_valid_after(last)
    )


def _usage(sign_certs):
    return x509.KeyUsage(
        digital_signature=not sign_certs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certs,
        crl_sign=sign_certs,
        encipher_only=False,
        decipher_only=False,
    )


def _key():
    return ec.generate_private_key(ec.SECP256R1())


def _pem(key):
    return key.private_bytes(
        _PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _authority(path_length=1):
    key = _key()
    name = _name("wayleave lab CA")
    ski = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    basic = x509.BasicConstraints(ca=True, path_length=path_length)
    cert = (
        _builder(name, name, key.public_key())
        .add_extension(basic, True)
        .add_extension(_usage(True), True)
        .add_extension(ski, False)
        .sign(key, hashes.SHA256())
    )
    return key, cert


def _signed(
    authority,
    key,
    hosts,
    days=(0, 7),
    usage=ExtendedKeyUsageOID.SERVER_AUTH,
    subject="wayleave lab",
    ca=False,
):
    """A certificate for the hosts, by (key, certificate) of an authority."""
    ca_key, ca_cert = authority
    public = key.public_key()
    issuer = ca_key.public_key()
    aki = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer)
    ski = x509.SubjectKeyIdentifier.from_public_key(public)
    basic = x509.BasicConstraints(ca=ca, path_length=0 if ca else None)
    builder = (
        _builder(_name(subject), ca_cert.subject, public, days)
        .add_extension(basic, True)
        .add_extension(_usage(ca), True)
        .add_extension(aki, False)
        .add_extension(ski, False)
    )
    if not ca:
        usages = x509.ExtendedKeyUsage([usage])
        builder = builder.add_extension(usages, False)
    if hosts:
        names = [x509.DNSName(h) for h in hosts]
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        names = x509.SubjectAlternativeName(names)
        builder = builder.add_extension(names, False)
    return builder.sign(ca_key, hashes.SHA256())


def make(ca_file, cert_file, key_file, hosts):
    """Write ca.pem, server.pem and server.key for all of the hosts."""
    authority = _authority()
    key = _key()
    cert = _signed(authority, key, hosts)
    ca_file.write_bytes(authority[1].public_bytes(_PEM))
    cert_file.write_bytes(cert.public_bytes(_PEM))
    key_file.write_bytes(_pem(key))
    return authority


def proofs(authority, host):
    """name -> (chain, key) as PEM: good ones, and one for each fault."""
    key = _key()
    domain = host.split(".", 1)[1]
    other = _authority()
    middle_key, leaf_key = _key(), _key()
    middle = _signed(authority, middle_key, (), subject="middle", ca=True)
    leaf = _signed(authority, leaf_key, ["not-a-ca." + domain])
    own = _name("itself")
    itself = (
        _builder(own, own, key.public_key())
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host)]), False
        )
        .sign(key, hashes.SHA256())
    )
    client = ExtendedKeyUsageOID.CLIENT_AUTH
    chains = {
        "good": [_signed(authority, key, [host])],
        "wildcard": [_signed(authority, key, ["*." + domain])],
        "by a middle one": [
            _signed((middle_key, middle), key, [host]),
            middle,
        ],
        "wrong host": [_signed(authority, key, ["other." + domain])],
        "part of a label": [_signed(authority, key, ["p*." + domain])],
        "subject alone": [_signed(authority, key, (), subject=host)],
        "expired": [_signed(authority, key, [host], days=(-9, -1))],
        "not yet valid": [_signed(authority, key, [host], days=(1, 9))],
        "for clients": [_signed(authority, key, [host], usage=client)],
        "itself": [itself],
        "untrusted": [_signed(other, key, [host]), other[1]],
        "by no authority": [_signed((leaf_key, leaf), key, [host]), leaf],
        "middle one missing": [_signed((middle_key, middle), key, [host])],
    }
    pem = _pem(key)
    return {
        name: (b"".join(c.public_bytes(_PEM) for c in chain), pem)
        for name, chain in chains.items()
    }
