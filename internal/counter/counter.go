// Package counter counts different people across datasets without keeping
// anything about them. A person is a keyed hash of the number or address that
// a column holds, cut to 64 bits; a dataset is the sorted set of its hashes
// and a sketch of it. The sketches of many sets tell within a stated error how
// many different people they hold together; the sets tell it exactly.
//
// The key is made anew each year and never leaves its file: without it a hash
// says nothing, and once it is deleted nobody can ask whether a given person
// was counted.
package counter

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"corridor"
)

// Kind says what a column names people by, and in which space: numbers of two
// registers are never taken for the same person.
type Kind struct {
	name  string // national_id, passport, tax_id, phone, email, internal
	space string // country, calling code, or name of the register
}

// Kinds lists how a kind is written.
func Kinds() []string {
	return []string{"national_id:CC", "passport:CC", "tax_id:CC", "phone", "phone:CALLINGCODE", "email", "internal:REGISTER"}
}

var (
	country  = regexp.MustCompile(`^[A-Z]{2}$`)
	calling  = regexp.MustCompile(`^[1-9][0-9]{0,2}$`)
	register = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

// ParseKind reads a kind such as national_id:CN, phone:86 or internal:crm.
func ParseKind(s string) (Kind, error) {
	name, space, spaced := strings.Cut(s, ":")
	k := Kind{name, space}
	ok := false
	switch name {
	case "national_id", "passport", "tax_id":
		ok = country.MatchString(space)
	case "phone":
		ok = !spaced || calling.MatchString(space)
	case "email":
		ok = !spaced
	case "internal":
		ok = register.MatchString(space)
	}
	if !ok {
		return Kind{}, &corridor.Error{Kind: corridor.Invalid, Where: "subject.kind", Msg: fmt.Sprintf("%q does not say what the column names people by", clip(s)),
			Why: "people are counted once only where the same number means the same person", Fix: "write one of " + strings.Join(Kinds(), ", ")}
	}
	return k, nil
}

// String writes the kind as ParseKind reads it.
func (k Kind) String() string {
	if k.space == "" {
		return k.name
	}
	return k.name + ":" + k.space
}

// maxKey bounds a value that names a person.
const maxKey = 256

// Normal appends the value in the form in which it is compared. It is not ok
// if the value names nobody: empty, a placeholder, a list, or not of the
// kind.
func (k Kind) Normal(dst, v []byte) (out []byte, ok bool) {
	at := len(dst)
	if len(v) > maxKey || !utf8.Valid(v) {
		return dst, false
	}
	s := strings.TrimSpace(string(v))
	if s == "" || s[0] == '[' || s[0] == '{' {
		return dst, false
	}
	switch k.name {
	case "phone":
		return k.phone(dst, s)
	case "email":
		user, host, found := strings.Cut(strings.ToLower(s), "@")
		if !found || user == "" || !strings.Contains(host, ".") || strings.Contains(host, "@") {
			return dst, false
		}
		return append(dst, strings.ToLower(s)...), true
	case "internal":
		if placeholder(s) {
			return dst, false
		}
		return append(dst, s...), true
	}
	for _, r := range s { // numbers of the state: letters and digits alone
		switch {
		case r >= '0' && r <= '9' || r >= 'A' && r <= 'Z':
			dst = append(dst, byte(r))
		case r >= 'a' && r <= 'z':
			dst = append(dst, byte(r-'a'+'A'))
		case r == ' ' || r == '-' || r == '.' || r == '/' || r == 0xa0:
		case r > 0x7f:
			dst = utf8.AppendRune(dst, r)
		default:
			return dst[:at], false
		}
	}
	n := dst[at:]
	if len(n) < 5 || same(n) {
		return dst[:at], false
	}
	return dst, true
}

// phone writes a number in international form. One without a country is
// completed by the kind's calling code; without that it names nobody here,
// because two countries could mean two people by it.
func (k Kind) phone(dst []byte, s string) ([]byte, bool) {
	var digits []byte
	plus := strings.HasPrefix(s, "+")
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits = append(digits, byte(r))
		case strings.ContainsRune("+ -().\u00a0/", r):
		default:
			return dst, false
		}
	}
	if !plus && strings.HasPrefix(string(digits), "00") {
		plus, digits = true, digits[2:]
	}
	if !plus {
		if k.space == "" {
			return dst, false
		}
		for len(digits) > 0 && digits[0] == '0' {
			digits = digits[1:]
		}
		digits = append([]byte(k.space), digits...)
	}
	if len(digits) < 7 || len(digits) > 15 || same(digits[len(digits)-6:]) {
		return dst, false
	}
	return append(append(dst, '+'), digits...), true
}

// placeholder recognises what people write where they know nothing.
func placeholder(s string) bool {
	return slices.Contains([]string{"-", "--", "n/a", "na", "null", "none", "nil", "unknown", "0", "?", "无", "нет", "不详"}, strings.ToLower(s))
}

// same says whether all bytes are one: 000000, xxxxx.
func same(b []byte) bool {
	for _, c := range b {
		if c != b[0] {
			return false
		}
	}
	return true
}

func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// Edition names what a set was made of: the bytes of the source and what was
// declared about them.
func Edition(source, column, kind string, sensitive []string) string {
	sum := corridor.Digest([]byte(strings.Join(append([]string{source, column, kind}, sensitive...), "\x00")))
	raw, err := hex.DecodeString(strings.TrimPrefix(sum, "sha256:"))
	if err != nil {
		return sum
	}
	return hex.EncodeToString(raw[:16])
}
