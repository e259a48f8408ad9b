package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReleasesThatNobodyConfirmedAreTold: by the list of tasks, in the reader's
// words, and by that of transfers, also of one that is over.
func TestReleasesThatNobodyConfirmedAreTold(t *testing.T) {
	unconfirmed := 2
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/status":
			fmt.Fprintf(w, `{"arrivals":{"awaited":5,"unconfirmed":%d}}`, unconfirmed)
		case "/api/transfers":
			io.WriteString(w, `{"items":[{"pid":"over","state":"TERMINATED","confirm_by":"2027-03-01T09:00:00Z","unconfirmed":{"index":7}},
				{"pid":"late","state":"COMPLETED","confirm_by":"2027-03-01T09:00:00Z","unconfirmed":{"index":8},"acknowledged":{"index":9}}]}`)
		default:
			io.WriteString(w, `{"items":[]}`)
		}
	}))
	defer node.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(strings.Repeat("a", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(args ...string) string {
		t.Helper()
		var out, problems bytes.Buffer
		if code := run(t.Context(), append(args, "--url", node.URL, "--token", token), nil, &out, &problems); code != exitOK {
			t.Fatalf("exit %d: %s", code, problems.String())
		}
		return out.String()
	}
	for lang, want := range map[string]string{"en": "2 releases were not confirmed by their deadline", "zh": "另有 2 次放行未按期确认", "ru": "не подтверждено в срок выпусков: 2"} {
		if got := ask("tasks", "--lang", lang); !strings.Contains(got, want) {
			t.Errorf("%s: %s", lang, got)
		}
	}
	if got := ask("transfers"); !strings.Contains(got, "not confirmed by 2027-03-01T09:00:00Z: entry 7 of the log") || strings.Contains(got, "entry 8") {
		t.Error(got)
	}
	unconfirmed = 0
	if got := ask("tasks"); strings.Contains(got, "confirmed") {
		t.Error(got)
	}
}
