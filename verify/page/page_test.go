package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"corridor/verify"
	"corridor/verify/page/sources"
)

// TestThePageIsOfThisSource: the compiled verifier in the repository is that
// of the sources at hand. If it is not: go generate ./verify/page
func TestThePageIsOfThisSource(t *testing.T) {
	list, err := sources.Of("corridor/verify/page/wasm")
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile("verifier.sum")
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.Sum256(code)
	for _, line := range []string{"sources " + list.Digest, "verifier.wasm.gz " + hex.EncodeToString(h[:])} {
		if !strings.Contains(string(sum), "\n"+line+"\n") {
			t.Errorf("verifier.sum does not say %q: the sources have changed; run go generate ./verify/page", line)
		}
	}
	if !bytes.Equal([]byte(licences), list.Licences) {
		t.Error("the licences have changed; run go generate ./verify/page")
	}
}

func TestThePageCanReachNothing(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b); err != nil {
		t.Fatal(err)
	}
	html := b.String()
	if strings.Contains(html, "{{") {
		t.Error("a part of the page was not filled in")
	}
	if !strings.Contains(html, fmt.Sprintf("const MAX = %d;", verify.MaxBundle)) {
		t.Error("the page has another limit than the verifier")
	}
	csp := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(html)
	if csp == nil {
		t.Fatal("there is no policy")
	}
	allowed := map[string]string{"default-src": "'none'", "worker-src": "blob:", "base-uri": "'none'", "form-action": "'none'"}
	for _, d := range strings.Split(csp[1], "; ") {
		name, value, _ := strings.Cut(d, " ")
		switch name {
		case "script-src", "style-src":
			if !regexp.MustCompile(`^'sha256-[A-Za-z0-9+/=]{44}'( 'wasm-unsafe-eval')?$`).MatchString(value) {
				t.Errorf("%s lets in %s", name, value)
			}
		default:
			if allowed[name] != value {
				t.Errorf("%s lets in %s", name, value)
			}
		}
	}
	if regexp.MustCompile(`(?i)(src|href)\s*=\s*["']?https?:`).MatchString(html) {
		t.Error("the page names an address")
	}
}
