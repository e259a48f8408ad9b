package exchange

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"corridor"
	"corridor/internal/dsp"
)

func TestANegotiationIsWrittenWithWhatItsDecisionsSayByteForByte(t *testing.T) {
	statement := json.RawMessage(`{"a":"<&> 数据","b":[1,2]}`)
	signed := &SidedDecision{Signed: corridor.SignedDecision{Statement: statement, Signature: corridor.Signature{Key: "did:web:a#k", Suite: "SM2", Value: "c2ln"}},
		Outcome: corridor.Allow, Side: corridor.Export, Country: "CN", Salt: []byte{1, 2}, Flow: &corridor.Flow{Origin: "CN", Facts: corridor.Facts{"purpose": "a<b"}}}
	brief := signed.brief()
	for name, n := range map[string]Negotiation{
		"no decision yet": {PID: "urn:uuid:1", State: dsp.Requested},
		"one":             {PID: "urn:uuid:1", State: dsp.Requested, Own: signed, Parked: "a > b"},
		"both":            {PID: "urn:uuid:1", State: dsp.Agreed, Own: signed, Theirs: signed},
		"in short":        {PID: "urn:uuid:1", State: dsp.Agreed, Own: brief, Theirs: signed, Code: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := n.JSON()
			if err != nil {
				t.Fatal(err)
			}
			want, err := json.Marshal(n)
			if err != nil {
				t.Fatal(err)
			}
			var a, b any
			if err := json.Unmarshal(got, &a); err != nil {
				t.Fatalf("%v: %s", err, got)
			}
			if err := json.Unmarshal(want, &b); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(a, b) {
				t.Errorf("%s\nis not\n%s", got, want)
			}
			var back Negotiation
			if err := json.Unmarshal(got, &back); err != nil {
				t.Fatal(err)
			}
			if n.Theirs != nil && !bytes.Equal(back.Theirs.Signed.Statement, statement) {
				t.Errorf("the statement is %s", back.Theirs.Signed.Statement)
			}
		})
	}
}
