package plane

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"corridor"
)

// problem is the body of a refusal (RFC 9457). It never holds an error's
// cause, which is for the logs of the one who refused.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Kind   string `json:"kind"`
	Where  string `json:"where,omitempty"`
	Why    string `json:"why,omitempty"`
	Fix    string `json:"fix,omitempty"`
}

// maxProblem bounds the refusal that a consumer reads.
const maxProblem = 64 << 10

func statusOf(k corridor.Kind) int {
	switch k {
	case corridor.Invalid:
		return http.StatusUnprocessableEntity // the request was in order; the data is not
	case corridor.Unauthenticated:
		return http.StatusUnauthorized
	case corridor.Forbidden, corridor.ApprovalNeeded:
		return http.StatusForbidden
	case corridor.RefusedByLaw:
		return http.StatusUnavailableForLegalReasons
	case corridor.NotFound:
		return http.StatusNotFound
	case corridor.Conflict:
		return http.StatusConflict
	case corridor.Gone:
		return http.StatusGone
	case corridor.Limited:
		return http.StatusTooManyRequests
	case corridor.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// fail answers with an error that comes before the first byte.
func fail(w http.ResponseWriter, err error) {
	status := statusOf(corridor.KindOf(err))
	var c *corridor.Error
	if errors.As(err, &c) && c.Where == "If-Match" {
		status = http.StatusPreconditionFailed
	}
	refuse(w, status, err)
}

func refuse(w http.ResponseWriter, status int, err error) {
	p := problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: "internal error", Kind: corridor.KindOf(err).String()}
	var c *corridor.Error
	if errors.As(err, &c) && c.Kind != corridor.Internal {
		p.Detail, p.Where, p.Why, p.Fix = c.Msg, c.Where, c.Why, c.Fix
		if c.Kind == corridor.Unavailable { // see dsp.ErrorBody
			p.Where, p.Fix = "", ""
		}
	}
	body, mErr := json.Marshal(p)
	if mErr != nil {
		body = []byte("{}")
	}
	h := w.Header()
	h.Del("Trailer")
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a consumer that is gone needs no answer
}

// refusal is an answer other than the stream.
type refusal struct {
	status int
	after  time.Duration // Retry-After
	err    *corridor.Error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// readRefusal makes the provider's refusal an error of the same kind. What it
// says is foreign text: it is bounded and marked as the provider's.
func readRefusal(resp *http.Response) *refusal {
	r := &refusal{status: resp.StatusCode, err: &corridor.Error{Kind: kindOfStatus(resp.StatusCode)}}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		r.after = time.Duration(min(s, 60)) * time.Second
	}
	var p problem
	if resp.Header.Get("Content-Type") == "application/problem+json" {
		raw, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
		if err != nil || json.Unmarshal(raw, &p) != nil {
			p = problem{}
		}
	}
	r.err.Msg = "the provider answers " + strconv.Itoa(resp.StatusCode)
	if p.Detail != "" {
		r.err.Msg = "the provider says: " + clipText(p.Detail)
	}
	r.err.Where, r.err.Why, r.err.Fix = clipText(p.Where), clipText(p.Why), clipText(p.Fix)
	for k := corridor.Internal; k <= corridor.Unavailable; k++ {
		if k.String() == p.Kind && statusOf(k) == resp.StatusCode {
			r.err.Kind = k
		}
	}
	return r
}

// clipText keeps one line of foreign text.
func clipText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if r := []rune(s); len(r) > 400 {
		return string(r[:400]) + "..."
	}
	return s
}

func kindOfStatus(status int) corridor.Kind {
	switch status {
	case http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
		return corridor.Conflict
	case http.StatusRequestTimeout, http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusInternalServerError:
		return corridor.Unavailable
	}
	for k := corridor.Invalid; k <= corridor.Unavailable; k++ {
		if statusOf(k) == status {
			return k
		}
	}
	return corridor.Invalid
}
