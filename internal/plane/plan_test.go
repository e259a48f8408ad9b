package plane

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"corridor"
)

func TestPlansAreReadStrictly(t *testing.T) {
	for _, c := range []struct{ name, raw, says string }{
		{"an unknown stage", `{"format":"csv","stages":[{"do":"pseudonymize","columns":["a"]}]}`, `did you mean "pseudonymise"?`},
		{"an unknown member", `{"format":"csv","stage":[]}`, `"stage"`},
		{"an unknown member of a stage", `{"format":"csv","stages":[{"do":"drop","column":["a"]}]}`, `"column"`},
		{"a member twice", `{"format":"csv","format":"jsonl"}`, "twice"},
		{"an unknown format", `{"format":"cvs","stages":[{"do":"drop","columns":["a"]}]}`, `did you mean "csv"?`},
		{"no format", `{"stages":[{"do":"drop","columns":["a"]}]}`, "format"},
		{"a drop with a param", `{"format":"csv","stages":[{"do":"drop","columns":["a"],"param":"x"}]}`, "drop takes no param"},
		{"a mask of another shape", `{"format":"csv","stages":[{"do":"mask","columns":["a"],"param":"keep:2"}]}`, "keep:F,L"},
		{"a mask that keeps too much", `{"format":"csv","stages":[{"do":"mask","columns":["a"],"param":"keep:0,65"}]}`, "keep:F,L"},
		{"a group without name", `{"format":"csv","stages":[{"do":"pseudonymise","columns":["a"],"param":"group:"}]}`, "group:NAME"},
		{"a generalisation without param", `{"format":"csv","stages":[{"do":"generalise","columns":["a"]}]}`, "bucket:N"},
		{"a bucket of zero", `{"format":"csv","stages":[{"do":"generalise","columns":["a"],"param":"bucket:0"}]}`, "bucket:N"},
		{"a number in another notation", `{"format":"csv","stages":[{"do":"generalise","columns":["a"],"param":"bucket:+5"}]}`, "bucket:N"},
		{"no columns", `{"format":"csv","stages":[{"do":"drop","columns":[]}]}`, "names no column"},
		{"a column twice", `{"format":"csv","stages":[{"do":"drop","columns":["a","a"]}]}`, "named twice"},
		{"a column that is gone", `{"format":"csv","stages":[{"do":"drop","columns":["a"]},{"do":"mask","columns":["a"]}]}`, "already dropped"},
		{"a strange delimiter", `{"format":"csv","delimiter":"x","stages":[{"do":"drop","columns":["a"]}]}`, "delimiter"},
		{"a delimiter of another format", `{"format":"jsonl","delimiter":","}`, "delimiter"},
		{"not an object", `[]`, "plan"},
		{"too large", `{"format":"` + strings.Repeat("x", MaxPlan) + `"}`, "limit"},
	} {
		_, err := ParsePlan([]byte(c.raw))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	p, err := ParsePlan([]byte(`{"format":"dicom"}`))
	if err != nil || len(p.Stages) != 0 {
		t.Errorf("any format passes through a plan without stages: %v", err)
	}
}

func TestAPlanKeepsItsDigestOverJSON(t *testing.T) {
	p := peoplePlan()
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	q, err := ParsePlan(raw)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := p.Digest()
	b, _ := q.Digest()
	if a != b || a == "" {
		t.Errorf("%s, %s", a, b)
	}
}

func TestAPlanWithoutStagesPassesEveryByte(t *testing.T) {
	for _, in := range []string{"", "\x00\xff\"", strings.Repeat("abc", 100_000)} {
		out, r, err := transformed(t, Plan{Format: "dicom"}, in)
		if err != nil || out != in || r.Rows != 0 {
			t.Errorf("%d bytes became %d: %v", len(in), len(out), err)
		}
	}
}

func TestPseudonymsNeedAKey(t *testing.T) {
	_, err := Transform(t.Context(), &memory{data: people(100)}, nil, peoplePlan(), []byte("short"))
	wantError(t, err, "needs 32")
}

func TestCheckNamesTheColumnsOfTheOutcome(t *testing.T) {
	got, err := Check(t.Context(), &memory{data: people(100)}, csvPlan(stage(Drop, "", "iin", "note"), stage(Pseudonymise, "", "name")))
	if err != nil || fmt.Sprint(got) != "[name phone born city amount]" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestTokens(t *testing.T) {
	tok, err := NewTokens(testKey)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := NewTokens([]byte("another secret of 32 bytes ......"))
	now := time.Unix(1_800_000_000, 0)
	c := Claims{Transfer: "t", Agreement: "a", Audience: "did:web:x", Expires: now.Add(time.Minute).Unix()}
	s, err := tok.Mint(c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tok.Check(s, now)
	if err != nil || got.Transfer != "t" || got.Audience != "did:web:x" || got.Nonce == "" {
		t.Fatalf("%+v, %v", got, err)
	}
	if again, _ := tok.Mint(c); again == s {
		t.Error("two tokens are the same")
	}
	for name, bad := range map[string]string{"nothing": "", "another prefix": "x" + s, "cut": s[:len(s)-1], "longer": s + "A", "no code": s[:strings.LastIndex(s, ".")+1],
		"huge": s + strings.Repeat("A", MaxToken)} {
		if _, err := tok.Check(bad, now); corridor.KindOf(err) != corridor.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range len(s) {
		b := []byte(s)
		b[i] ^= 1
		if _, err := tok.Check(string(b), now); err == nil {
			t.Fatalf("byte %d can be changed", i)
		}
	}
	if _, err := other.Check(s, now); err == nil {
		t.Error("another secret takes the token")
	}
	if _, err := tok.Check(s, now.Add(time.Minute)); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("at its end: %v", err)
	}
	for _, m := range []error{got.Match("u", "a", "did:web:x"), got.Match("t", "b", "did:web:x"), got.Match("t", "a", "did:web:y")} {
		if corridor.KindOf(m) != corridor.Forbidden {
			t.Error(m)
		}
	}
	if got.Match("t", "a", "did:web:x") != nil {
		t.Error("the right one is refused")
	}
	if _, err := NewTokens([]byte("short")); err == nil {
		t.Error("a short secret is taken")
	}
	if _, err := tok.Mint(Claims{Transfer: "t"}); err == nil {
		t.Error("an incomplete token is made")
	}
}

// Whoever takes up a stream after an upgrade must get the bytes of before. If
// this test fails, raise outcomeVersion and write the new digests here.
func TestOutcomesAreTheSameFromVersionToVersion(t *testing.T) {
	for _, c := range []struct {
		plan Plan
		data []byte
		want string
	}{
		{peoplePlan(), people(10_000), "ce834f71ff5a23d8ceae65d9adc571b878e98f540f3c7770c6f60a69c5dc47bc"},
		{jsonlPlan(stage(Pseudonymise, "group:x", "a"), stage(Generalise, "decimals:1", "b")), []byte(`{"a":"x","b":1.25}` + "\n"), "f3a0f2f9ab21dd2ae84283a28346b77bf47a797627cf3b714470c553458581c6"},
		{parquetPlan(), personsFile(t, 500), "8db242a36e197bbbd585b5d8d3f925849cb68be6f50f85a483ee61af69b7e5a9"},
	} {
		if c.plan.Format == FormatParquet && runtime.GOARCH != "amd64" {
			continue // the compressor may choose otherwise
		}
		_, r, err := transformed(t, c.plan, string(c.data))
		if err != nil || r.SHA256 != "sha256:"+c.want {
			t.Errorf("%s: %s, want %s (%v)", c.plan.Format, r.SHA256, c.want, err)
		}
	}
}
