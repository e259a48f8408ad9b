package corridor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// reference is the canonical form by the shortest way that the standard
// library offers, token by token. It is what Canonicalize is held against.
func reference(raw []byte) (string, error) {
	if !utf8.Valid(raw) || !json.Valid(raw) {
		return "", errors.New("not JSON in UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return referenceValue(d, 0)
}

func referenceValue(d *json.Decoder, depth int) (string, error) {
	token, err := d.Token()
	if err != nil || depth > maxDepth {
		return "", errors.Join(err, errors.New("too deep, or broken"))
	}
	switch v := token.(type) {
	case json.Delim:
		var parts, keys []string
		for d.More() {
			key := ""
			if v == '{' {
				k, err := d.Token()
				if err != nil {
					return "", err
				}
				key = k.(string)
				if slices.Contains(keys, key) {
					return "", errors.New("a key occurs twice")
				}
			}
			part, err := referenceValue(d, depth+1)
			if err != nil {
				return "", err
			}
			keys, parts = append(keys, key), append(parts, part)
		}
		if _, err := d.Token(); err != nil {
			return "", err
		}
		if v == '[' {
			return "[" + strings.Join(parts, ",") + "]", nil
		}
		order := make([]int, len(keys))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int {
			return slices.Compare(utf16.Encode([]rune(keys[a])), utf16.Encode([]rune(keys[b])))
		})
		var members []string
		for _, i := range order {
			members = append(members, referenceText(keys[i])+":"+parts[i])
		}
		return "{" + strings.Join(members, ",") + "}", nil
	case string:
		return referenceText(v), nil
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil || n > maxSafe || n < -maxSafe {
			return "", fmt.Errorf("number %s", v)
		}
		return strconv.FormatInt(n, 10), nil
	}
	return fmt.Sprint(map[any]string{nil: "null", true: "true", false: "false"}[token]), nil
}

func referenceText(s string) string {
	var b strings.Builder
	for _, r := range s {
		if short, ok := map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}[r]; ok {
			b.WriteString(short)
		} else if r < ' ' {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}

// sameAsReference fails if Canonicalize and the reference differ in what they
// accept or in what they write.
func sameAsReference(t interface {
	Helper()
	Fatalf(string, ...any)
}, raw []byte) {
	t.Helper()
	want, refused := reference(raw)
	got, err := Canonicalize(raw)
	if (err == nil) != (refused == nil) || err == nil && string(got) != want {
		t.Fatalf("%q: %q, %v; the reference says %q, %v", raw, got, err, want, refused)
	}
	if err != nil && KindOf(err) != Invalid {
		t.Fatalf("%q: an error of kind %s", raw, KindOf(err))
	}
}

// pieces are what JSON is made of, and what breaks it.
var pieces = []string{`{`, `}`, `[`, `]`, `,`, `:`, `"a"`, `"b"`, `"\u0061"`, `"\ud83d\ude00"`, `"\ud83d"`, "\"\ufb33\"", `"\n"`, `"\x"`, `"\u12"`, `"é"`, "\"\x01\"", "\"\xff\"",
	`true`, `false`, `null`, `nul`, `1`, `-1`, `0`, `-0`, `00`, `01`, `-`, `1.0`, `1e2`, `1.`, `.5`, `+1`, `9007199254740991`, `9007199254740992`, `99999999999999999999`, ` `, "\t", "\n", "\v", "\x00", `"`, `\`, `x`}

func TestTextIsCanonicalizedAsTheReferenceDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "pieces"), "")
		sameAsReference(t, []byte(raw))
	})
	rapid.Check(t, func(t *rapid.T) { // what is whole, and then whole but for one byte
		raw, err := json.MarshalIndent(anything(4).Draw(t, "v"), "", " ")
		if err != nil {
			t.Skip(err)
		}
		sameAsReference(t, raw)
		at := rapid.IntRange(0, len(raw)-1).Draw(t, "at")
		raw[at] = rapid.Byte().Draw(t, "byte")
		sameAsReference(t, raw)
	})
	for _, deep := range []int{maxDepth, maxDepth + 1, maxDepth + 2, 10_000} {
		sameAsReference(t, []byte(strings.Repeat(`[`, deep)+strings.Repeat(`]`, deep)))
		sameAsReference(t, []byte(strings.Repeat(`{"a":`, deep)+`1`+strings.Repeat(`}`, deep)))
	}
}

// anything is a value as facts hold them, at most so deep.
func anything(depth int) *rapid.Generator[any] {
	leaves := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(text(), func(s string) any { return s }),
		rapid.Map(rapid.Int(), func(n int) any { return n % (maxSafe + 2) }),
		rapid.Map(rapid.Uint64(), func(n uint64) any { return n >> 10 }),
		rapid.Map(rapid.Float64(), func(f float64) any { return f }),
		rapid.Map(rapid.Int32(), func(n int32) any { return float64(n) }),
		rapid.Map(rapid.Int64(), func(n int64) any { return json.Number(strconv.FormatInt(n>>11, 10)) }),
		rapid.Map(rapid.Int32Range(1, 900_000), func(n int32) any { return Date(n) }),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) any { return b }),
	}
	if depth == 0 {
		return rapid.OneOf(leaves...)
	}
	inner := rapid.Deferred(func() *rapid.Generator[any] { return anything(depth - 1) })
	return rapid.OneOf(append(leaves,
		rapid.Map(rapid.SliceOfN(inner, 0, 4), func(v []any) any { return v }),
		rapid.Map(rapid.MapOfN(text(), inner, 0, 4), func(v map[string]any) any { return v }),
		rapid.Map(inner, func(v any) any { return &v }),
	)...)
}

// text holds what must be escaped, what sorts otherwise in UTF-16, and bytes
// that are no UTF-8.
func text() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.SampledFrom([]rune("ab\"\\\n<>&\u2028\x00\x1f\ue000\ufffd\U0001F600é")), 0, 6, -1),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 5), func(b []byte) string { return string(b) }))
}

// sameAsEncodingJSON fails if Canonical writes anything else than the
// canonical form of what encoding/json writes.
func sameAsEncodingJSON(t interface {
	Helper()
	Fatalf(string, ...any)
}, v any) {
	t.Helper()
	var want string
	raw, refused := json.Marshal(v)
	if refused == nil {
		want, refused = reference(raw)
	}
	got, err := Canonical(v)
	if (err == nil) != (refused == nil) || err == nil && string(got) != want {
		t.Fatalf("%#v: %q, %v; encoding/json says %q, %v", v, got, err, want, refused)
	}
}

// awkward has a field for everything that encoding/json treats in its own way.
type awkward struct {
	Plain   string
	Renamed string `json:"z"`
	Hidden  string `json:"-"`
	//lint:ignore SA5008 the tag is one of the awkward ones
	Dash     string             `json:"-,"`
	Empty    map[string]any     `json:"empty,omitempty"`
	None     Text               `json:"none,omitzero"`
	Both     *Text              `json:"both,omitempty,omitzero"`
	When     time.Time          `json:"when,omitzero"`
	Day      Date               `json:"day,omitempty"`
	Own      Outcome            `json:"own"`
	Raw      json.RawMessage    `json:"raw,omitempty"`
	Bytes    []byte             `json:"bytes"`
	Array    [2]bool            `json:"array"`
	Names    map[Side]int64     `json:"names"`
	Numbers  map[int]string     `json:"numbers,omitempty"`
	ByDate   map[Date]int       `json:"by_date,omitempty"`
	Any      any                `json:"any"`
	Pointer  **string           `json:"pointer"`
	Floats   []float64          `json:"floats,omitempty"`
	Small    float32            `json:"small"`
	Number   json.Number        `json:"number"`
	Shouting loud               `json:"shouting"`
	List     []loud             `json:"list"`
	Zeroed   never              `json:"zeroed,omitzero"`
	Kept     map[string]*shadow `json:"kept,omitempty"`
	private  string
}

// loud has its form on the pointer, which encoding/json asks only for what has
// an address.
type loud string

func (l *loud) MarshalJSON() ([]byte, error) { return json.Marshal("! " + string(*l)) }

// never says of itself that it is zero, whatever it is.
type never struct{ N int }

func (*never) IsZero() bool { return true }

// shadow has embedded structs, of which one hides a member of the other.
type shadow struct {
	inner
	*Signature
	Key string `json:"key"`
}

type inner struct {
	Suite string `json:"suite"`
	Count int64  `json:"count,string"`
}

func drawAwkward(t *rapid.T) *awkward {
	word := text().Draw(t, "word")
	p := &word
	a := &awkward{Plain: word, Renamed: text().Draw(t, "renamed"), Hidden: "h", Dash: word, Own: Outcome(rapid.Byte().Draw(t, "own")), private: "p",
		Names: rapid.MapOfN(rapid.Map(text(), func(s string) Side { return Side(s) }), rapid.Int64Range(-maxSafe-1, maxSafe+1), 0, 3).Draw(t, "names"),
		Any:   anything(3).Draw(t, "any"), Pointer: &p, Small: float32(rapid.Int16().Draw(t, "small")), Number: json.Number(strconv.Itoa(rapid.Int().Draw(t, "number") >> 11)),
		Shouting: loud(word), List: []loud{"a", loud(word)}, Zeroed: never{3}, Day: Date(rapid.Int32Range(0, 900_000).Draw(t, "day"))}
	if rapid.Bool().Draw(t, "more") {
		a.Empty, a.None, a.Both, a.When = map[string]any{word: 1}, Text{EN: word}, &Text{ZH: word}, time.Unix(1e9, 0)
		a.Bytes, a.Numbers, a.ByDate, a.Floats = []byte(word), map[int]string{7: word, 10: "x"}, map[Date]int{700_000: 1, 1: 2}, []float64{1, math.Copysign(0, -1), 2e6}
		a.Kept = map[string]*shadow{word: {Key: word, Signature: &Signature{Key: "hidden", Value: word}}, "none": nil}
		if raw, err := json.Marshal(anything(2).Draw(t, "raw")); err == nil {
			a.Raw = raw
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "broken") == 0 {
		a.Raw = json.RawMessage(strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 4).Draw(t, "pieces"), ""))
	}
	return a
}

func TestGoValuesAreWrittenAsTheCanonicalFormOfEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { sameAsEncodingJSON(t, anything(5).Draw(t, "v")) })
	rapid.Check(t, func(t *rapid.T) {
		a := drawAwkward(t)
		sameAsEncodingJSON(t, a)
		sameAsEncodingJSON(t, *a)
		sameAsEncodingJSON(t, []any{a, *a, map[string]awkward{"a": *a}})
	})
	rapid.Check(t, func(t *rapid.T) {
		f := Flow{Date: Date(rapid.Int32Range(0, 900_000).Draw(t, "date")), Origin: text().Draw(t, "origin"), Facts: rapid.MapOfN(text(), anything(3), 0, 6).Draw(t, "facts")}
		sameAsEncodingJSON(t, f)
		sameAsEncodingJSON(t, Leaf{Receipt: rapid.Make[Receipt]().Draw(t, "receipt"), Signature: rapid.Make[Signature]().Draw(t, "signature")})
		d := rapid.Make[Decision]().Draw(t, "decision")
		sameAsEncodingJSON(t, DecisionStatement{Version: 1, Issuer: text().Draw(t, "issuer"), Decision: d})
		statement, err := Canonical(d)
		if err != nil {
			return // a number too large in it: both have refused it above
		}
		sameAsEncodingJSON(t, SignedAgreement{Body: Agreement{Version: 1, Policy: statement, Logs: map[string]LogRef{f.Origin: {}},
			Decisions: []SignedDecision{{Statement: statement}}, Obligations: []string{f.Origin}, Approvals: []Approval{{Receipt: &ReceiptRef{Index: 7}}}}})
	})
	number := reflect.TypeFor[int]()
	twins := reflect.StructOf([]reflect.StructField{{Name: "A", Type: number, Tag: `json:"x"`}, {Name: "B", Type: number, Tag: `json:"x"`}})
	for _, v := range []any{nil, 1, math.NaN(), math.Inf(1), 1.5, 1e300, uint64(math.MaxUint64), uint8(3), uintptr(7), float32(3e15), float32(16777217), complex(1, 1), make(chan int), struct{ F func() }{}, json.Number(""), json.Number("x"), json.Number("1.5"),
		json.RawMessage(nil), json.RawMessage{}, (*Text)(nil), (*loud)(nil), (*Outcome)(nil), []*Outcome{nil}, io.Reader(nil), errors.New("x"), time.Month(3), [3]byte{1}, []Outcome{1, 2}, []Date{1}, map[bool]int{}, map[string]int(nil), []int(nil),
		map[string]int{"\xff": 1, "\xfe": 2}, reflect.ValueOf, reflect.Zero(twins).Interface(), struct {
			A io.Writer `json:"a,omitempty"`
			B *int      `json:"b,omitzero"`
			C chan int  `json:"c,omitempty"`
		}{}, struct {
			A int `json:"a b"`
			B int `json:"naïve"`
			C int `json:",string"`
		}{1, 2, 3}} {
		sameAsEncodingJSON(t, v)
	}
}

func TestACycleIsRefused(t *testing.T) {
	list := []any{nil}
	list[0] = list
	var self any
	self = &self
	for _, v := range []any{list, self} {
		if out, err := Canonical(v); KindOf(err) != Invalid {
			t.Errorf("it was written: %d bytes, %v", len(out), err)
		}
	}
}

// example is an agreement's decision as it is signed.
func example() DecisionStatement {
	d := Decision{Jurisdiction: "CN", Side: Export, Outcome: AllowWithObligations, Pack: PackRef{ID: "cn", Version: "2026.1", Digest: Digest(nil)}, Engine: "1",
		Instruments: map[string]Text{}}
	for i := range 12 {
		n := strconv.Itoa(i)
		d.Instruments["cn.law."+n] = Text{Original: "数据安全法", EN: "Data Security Law, of the year " + n, ZH: "数据安全法", RU: "Закон о безопасности данных"}
		c := []Citation{{Instrument: "cn.law." + n, Article: n}}
		d.Matched = append(d.Matched, Match{Rule: "cn.rule." + n, Kind: "rule", Outcome: AllowWithObligations, Certain: true, Source: Verified, SourceRef: "https://example.org/" + n, SourceOn: 739_000, Citations: c})
		d.Duties = append(d.Duties, Obligation{ID: "cn.duty." + n, Owner: "exporter", When: "before", Certain: true, Rules: []string{"cn.rule." + n}, Citations: c})
	}
	return DecisionStatement{Version: 1, Issuer: "did:web:cn.example", Provider: "did:web:cn.example", Consumer: "did:web:kz.example", Dataset: "d", Time: "2026-11-26T00:00:00Z", Decision: d}
}

func BenchmarkCanonical(b *testing.B) {
	st := example()
	raw, err := Canonical(st)
	if err != nil {
		b.Fatal(err)
	}
	leaf := Leaf{Receipt: Receipt{Version: 1, Type: ReceiptAgreement, Issuer: st.Issuer, Peer: st.Consumer, Digests: map[string]string{"agreement": Digest(raw)}}, Signature: Signature{Key: st.Issuer + "#k", Suite: "SM2", Value: "MEUC"}}
	b.Run("decision", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			if _, err := Canonical(st); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("receipt", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Canonical(leaf); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("text", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			if _, err := Canonicalize(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}
