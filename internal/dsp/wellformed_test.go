package dsp

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// jsonPieces are what JSON is made of, and what breaks it.
func jsonPieces() []string {
	return []string{`{`, `}`, `[`, `]`, `,`, `:`, `"a"`, `"\u00e9"`, `"\u12G4"`, `"\uD83D"`, `"\`, `"\x"`, `"\/\b\f\n\r\t\\\""`, "\"\x1f\"", "\"\x7f\xff\"", `"`, `true`, `false`, `null`, `nul`, `truex`,
		`0`, `-0`, `-`, `00`, `01`, `1`, `10.5`, `1.`, `.5`, `1e5`, `1E+05`, `1e-`, `1e`, `+1`, `-1.0e9`, ` `, "\t", "\r\n", "\v", "\x00", "\u00a0", `x`}
}

func TestWellFormedIsWhatEncodingJSONSays(t *testing.T) {
	same := func(t interface{ Fatalf(string, ...any) }, text string) {
		if got, want := wellFormed([]byte(text)), json.Valid([]byte(text)); got != want {
			t.Fatalf("%q: well-formed %t, encoding/json says %t", text, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		same(t, strings.Join(rapid.SliceOfN(rapid.SampledFrom(jsonPieces()), 0, 10).Draw(t, "pieces"), ""))
	})
	rapid.Check(t, func(t *rapid.T) { // a message, with a byte changed
		raw, err := Encode(&ContractRequestMessage{ConsumerPid: rapid.StringN(1, 20, -1).Draw(t, "pid"), Offer: Offer{Policy: richPolicy()}, CallbackAddress: "https://c.example/dsp"})
		if err != nil {
			t.Skip(err)
		}
		same(t, string(raw))
		raw[rapid.IntRange(0, len(raw)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		same(t, string(raw))
	})
	for _, deep := range []int{deepest, deepest + 1, deepest + 2, 9_999, 10_001, 200_000} {
		same(t, strings.Repeat(`[`, deep)+strings.Repeat(`]`, deep))
		same(t, strings.Repeat(`{"a":`, deep)+`1`+strings.Repeat(`}`, deep))
		same(t, strings.Repeat(`[`, deep))
	}
}

func FuzzWellFormed(f *testing.F) {
	for _, p := range jsonPieces() {
		f.Add([]byte(p))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if got, want := wellFormed(data), json.Valid(data); got != want {
			t.Fatalf("%q: well-formed %t, encoding/json says %t", data, got, want)
		}
	})
}
