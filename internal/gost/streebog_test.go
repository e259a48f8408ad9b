package gost

import (
	"bytes"
	"crypto/hmac"
	"encoding/hex"
	"hash"
	"testing"
)

// unhex reads a constant of a test.
func unhex(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// second is the message of RFC 6986, section 10.2: a line of the tale of
// Igor's host in Windows-1251.
const second = "d1e520e2e5f2f0e82c20d1f2f0e8e1eee6e820e2edf3f6e82c20e2e5fef2fa20f120eceef0ff20f1f2f0e5ebe0ece820ede020f5f0e0e1f0fbff20efebfaeafb20c8e3eef0e5e2fb"

// The examples of RFC 6986, section 10, in the order in which bytes travel.
func TestStreebogOfTheRFC(t *testing.T) {
	for _, c := range []struct {
		name, message string // hex
		make          func() hash.Hash
		want          string
	}{
		{"M1, 512 bits", hex.EncodeToString([]byte("012345678901234567890123456789012345678901234567890123456789012")), New512,
			"1b54d01a4af5b9d5cc3d86d68d285462b19abc2475222f35c085122be4ba1ffa00ad30f8767b3a82384c6574f024c311e2a481332b08ef7f41797891c1646f48"},
		{"M1, 256 bits", hex.EncodeToString([]byte("012345678901234567890123456789012345678901234567890123456789012")), New256,
			"9d151eefd8590b89daa6ba6cb74af9275dd051026bb149a452fd84e5e57b5500"},
		{"M2, 512 bits", second, New512,
			"1e88e62226bfca6f9994f1f2d51569e0daf8475a3b0fe61a5300eee46d961376035fe83549ada2b8620fcd7c496ce5b33f0cb9dddc2b6460143b03dabac9fb28"},
		{"M2, 256 bits", second, New256, "9dd2fe4e90409e5da87f53976d7405b0c0cac628fc669a741d50063c557e8f50"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := unhex(t, c.message)
			for _, cut := range []int{0, 1, len(m) / 2, len(m)} {
				h := c.make()
				h.Write(m[:cut])
				h.Sum(nil) // asking in between changes nothing
				h.Write(m[cut:])
				if got := h.Sum([]byte{7}); got[0] != 7 || hex.EncodeToString(got[1:]) != c.want {
					t.Errorf("cut at %d: %x", cut, got[1:])
				}
			}
		})
	}
}

// RFC 7836, appendix B: HMAC with both digests.
func TestHMACOfTheRFC(t *testing.T) {
	key := unhex(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	data := unhex(t, "0126bdb87800af214341456563780100")
	for _, c := range []struct {
		make func() hash.Hash
		want string
	}{
		{New256, "a1aa5f7de402d7b3d323f2991c8d4534013137010a83754fd0af6d7cd4922ed9"},
		{New512, "a59bab22ecae19c65fbde6e5f4e9f5d8549d31f037f9df9b905500e171923a773d5f1530f2ed7e964cb2eedc29e9ad2f3afe93b2814f79f5000ffc0366c251e6"},
	} {
		m := hmac.New(c.make, key)
		m.Write(data)
		if got := m.Sum(nil); !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("%d bytes: %x", m.Size(), got)
		}
	}
}
