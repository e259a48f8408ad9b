package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// demoOn runs the demo on a file and gives its steps by id.
func demoOn(t *testing.T, name, content string) map[string]stepLine {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	code := run(context.Background(), []string{"demo", "--json", "--out", filepath.Join(dir, "out"), "--data", path}, strings.NewReader(""), &out, &problems)
	if code != exitOK {
		t.Fatalf("exit code %d\n%s%s", code, out.String(), problems.String())
	}
	steps := map[string]stepLine{}
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var s stepLine
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if !s.OK {
			t.Errorf("%s did not hold: %s", s.ID, s.Error)
		}
		steps[s.ID] = s
	}
	if len(steps) != len(demoSteps())+1 {
		t.Errorf("%d steps were told, want %d", len(steps), len(demoSteps())+1)
	}
	return steps
}

func TestFileThatNeedsAnApprovalGetsOneInTheOpen(t *testing.T) {
	steps := demoOn(t, "many.csv", manyPeople(100_200))
	if got := steps["law"].Detail["outcome"]; got != "needs_approval" {
		t.Fatalf("the law answers %v about more than 100,000 people", got)
	}
	if got := steps["negotiate"].Detail["approved_by"]; got != demoOfficer {
		t.Errorf("approved by %v", got)
	}
	if got := steps["transfer"].Detail["rows"]; got != float64(100_200) {
		t.Errorf("%v rows arrived", got)
	}
}

// manyPeople makes a table of different Kazakh individual numbers of the
// nineteenth century.
func manyPeople(n int) string {
	var b strings.Builder
	b.WriteString("iin,goods\n")
	for i := 0; n > 0; i++ {
		body := fmt.Sprintf("%02d%02d%02d1%04d", 80+i/3_360_000, 1+i/28%12, 1+i%28, i/336%10_000)
		digit := iinCheck(body, 0)
		if digit == 10 {
			digit = iinCheck(body, 2)
		}
		if digit < 10 {
			fmt.Fprintf(&b, "%s%d,tea\n", body, digit)
			n--
		}
	}
	return b.String()
}

func iinCheck(digits string, shift int) int {
	sum := 0
	for i, d := range digits {
		sum += int(d-'0') * ((i+shift)%11 + 1)
	}
	return sum % 11
}

func TestFileThatTheLawRefusesIsNotSentAndTheDemoGoesOn(t *testing.T) {
	steps := demoOn(t, "marked.csv", "密级,文号\n"+strings.Repeat("绝密,12\n", 50))
	law := steps["law"].Detail
	if law["outcome"] != "deny" || !strings.HasSuffix(fmt.Sprint(law["not_sent"]), "marked.csv") {
		t.Errorf("outcome %v, not sent %v", law["outcome"], law["not_sent"])
	}
	if got := fmt.Sprint(steps["transfer"].Detail["file"]); !strings.HasSuffix(got, "shipments.csv") {
		t.Errorf("%s was received", got)
	}
}

func TestFileThatTheGatewayCannotReadSafelyIsNotSent(t *testing.T) {
	for name, content := range map[string]string{
		"headless.csv": strings.Repeat("Anna Ivanova,anna@example.org,1\n", 50),
		"gb18030.csv":  "\xd0\xd5\xc3\xfb,mail\n" + strings.Repeat("\xd5\xc5\xc8\xfd,a@example.org\n", 50),
	} {
		steps := demoOn(t, name, content)
		if got := fmt.Sprint(steps["publish"].Detail["not_sent"]); !strings.HasSuffix(got, name) {
			t.Errorf("%s: not sent is %s", name, got)
		}
	}
}

func TestDemoTellsTheWholeWayOfANegotiation(t *testing.T) {
	steps := demoOn(t, "plain.csv", "station,tonnes\nKhorgos,120\nDostyk,80\n")
	got := fmt.Sprint(steps["negotiate"].Detail["states"])
	if got != "[REQUESTED AGREED VERIFIED FINALIZED]" {
		t.Errorf("states %s", got)
	}
	next, _ := steps["done"].Detail["next"].([]any)
	if len(next) != 3 || !slices.ContainsFunc(next, func(c any) bool { return strings.Contains(fmt.Sprint(c), " verify ") }) {
		t.Errorf("commands to try next: %v", next)
	}
}
