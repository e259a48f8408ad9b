package gost

import (
	"bytes"
	"encoding/asn1"
	"fmt"
	"slices"
)

// algorithm is AlgorithmIdentifier with GostR3410-2012-PublicKeyParameters
// (RFC 9215, section 4).
type algorithm struct {
	OID    asn1.ObjectIdentifier
	Params params
}

type params struct {
	Set    asn1.ObjectIdentifier
	Digest asn1.ObjectIdentifier `asn1:"optional"`
}

// algorithmOID is id-tc26-gost3410-12-256 or -512, and digestOID the Streebog
// that goes with it.
func (c *Curve) algorithmOID() asn1.ObjectIdentifier {
	if c.Size == Size256 {
		return oid(7, 1, 1, 1, 1)
	}
	return oid(7, 1, 1, 1, 2)
}

func (c *Curve) digestOID() asn1.ObjectIdentifier {
	if c.Size == Size256 {
		return oid(7, 1, 1, 2, 2)
	}
	return oid(7, 1, 1, 2, 3)
}

func (c *Curve) algorithm() algorithm {
	return algorithm{c.algorithmOID(), params{Set: c.oid, Digest: c.digestOID()}}
}

func (a algorithm) curve() (*Curve, error) {
	c := curveByOID(a.Params.Set)
	switch {
	case c == nil:
		return nil, fmt.Errorf("parameter set %v is not known", a.Params.Set)
	case !a.OID.Equal(c.algorithmOID()):
		return nil, fmt.Errorf("algorithm %v does not go with parameter set %s", a.OID, c.Name)
	case len(a.Params.Digest) > 0 && !a.Params.Digest.Equal(c.digestOID()):
		return nil, fmt.Errorf("digest %v does not go with parameter set %s", a.Params.Digest, c.Name)
	}
	return c, nil
}

type publicInfo struct {
	Algorithm algorithm
	Key       asn1.BitString
}

// MarshalPublic writes SubjectPublicKeyInfo: both coordinates, least
// significant byte first, in an OCTET STRING (RFC 9215, section 4.1).
func (k *PublicKey) MarshalPublic() ([]byte, error) {
	x, y := k.Coordinates()
	slices.Reverse(x)
	slices.Reverse(y)
	octets, err := asn1.Marshal(slices.Concat(x, y))
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(publicInfo{k.Curve.algorithm(), asn1.BitString{Bytes: octets, BitLength: 8 * len(octets)}})
}

// ParsePublic reads SubjectPublicKeyInfo strictly.
func ParsePublic(der []byte) (*PublicKey, error) {
	var info publicInfo
	if err := exactly(der, &info); err != nil {
		return nil, err
	}
	c, err := info.Algorithm.curve()
	if err != nil {
		return nil, err
	}
	var octets []byte
	if info.Key.BitLength%8 != 0 {
		return nil, fmt.Errorf("the key is not a number of whole bytes")
	}
	if err := exactly(info.Key.Bytes, &octets); err != nil {
		return nil, err
	}
	if len(octets) != 2*c.Size {
		return nil, fmt.Errorf("a public key of %d bytes, want %d", len(octets), 2*c.Size)
	}
	x, y := slices.Clone(octets[:c.Size]), slices.Clone(octets[c.Size:])
	slices.Reverse(x)
	slices.Reverse(y)
	return NewPublicKey(c, x, y)
}

type privateInfo struct {
	Version   int
	Algorithm algorithm
	Key       []byte
}

// MarshalPrivate writes PKCS #8 PrivateKeyInfo as OpenSSL's GOST engine does:
// the scalar, least significant byte first, in an OCTET STRING of its own.
func (k *PrivateKey) MarshalPrivate() ([]byte, error) {
	d := k.Curve.q.bytes(&k.d)
	slices.Reverse(d)
	octets, err := asn1.Marshal(d)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(privateInfo{0, k.Curve.algorithm(), octets})
}

// ParsePrivate reads PKCS #8: the scalar as MarshalPrivate writes it, or bare
// in the outer OCTET STRING. Masked forms are not read.
func ParsePrivate(der []byte) (*PrivateKey, error) {
	var info privateInfo
	if err := exactly(der, &info); err != nil {
		return nil, err
	}
	c, err := info.Algorithm.curve()
	if err != nil {
		return nil, err
	}
	d := info.Key
	if len(d) != c.Size {
		var octets []byte
		if err := exactly(info.Key, &octets); err != nil {
			return nil, fmt.Errorf("the private key is neither %d bytes nor an OCTET STRING of them", c.Size)
		}
		d = octets
	}
	if info.Version != 0 || len(d) != c.Size {
		return nil, fmt.Errorf("not a plain private key of %d bytes", c.Size)
	}
	d = slices.Clone(d)
	slices.Reverse(d)
	return NewPrivateKey(c, d)
}

// exactly decodes DER and refuses every other spelling of the same value.
func exactly[T any](der []byte, into *T) error {
	rest, err := asn1.Unmarshal(der, into)
	if err != nil {
		return err
	}
	again, err := asn1.Marshal(*into)
	if err != nil {
		return err
	}
	if len(rest) > 0 || !bytes.Equal(again, der) {
		return fmt.Errorf("not the one DER form of its value")
	}
	return nil
}
