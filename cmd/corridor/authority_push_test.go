package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"corridor"
)

// TestAnOrderGoesToTheNodeThatWasNamedAndNoFurther: what answers a push can
// neither send the order on nor fill the memory of whoever pushes.
func TestAnOrderGoesToTheNodeThatWasNamedAndNoFurther(t *testing.T) {
	var inside, taken atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside.Add(1) }))
	defer other.Close()
	answer := func(h http.HandlerFunc) string {
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		return srv.URL
	}
	good := answer(func(w http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); r.URL.Path == "/corridor/orders" && string(body) == "order" {
			taken.Add(1)
		}
	})
	if err := push(t.Context(), good+"/", []byte("order")); err != nil || taken.Load() != 1 {
		t.Errorf("a node in an inner network: %v", err)
	}
	for name, c := range map[string]struct{ node, want string }{
		"a redirect": {answer(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		}), "did not take it: status 307"},
		"a redirect to read": {answer(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) }), "did not take it: status 302"},
		"a huge answer": {answer(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000000")
			w.WriteHeader(http.StatusConflict)
		}), "over the limit of 65536 bytes"},
		"an endless answer": {answer(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusConflict)
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("x", 1000)); err != nil {
					return
				}
			}
		}), "did not take it: status 409"},
		"a metadata service": {"http://169.254.169.254", "is a metadata service"},
		"another scheme":     {"file:///etc/passwd", "are not used"},
	} {
		err := push(t.Context(), c.node, []byte("order"))
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 8000 {
			t.Errorf("%s: %.200v (%v)", name, err, corridor.KindOf(err))
		}
	}
	if inside.Load() != 0 {
		t.Error("the order was sent on")
	}
}
