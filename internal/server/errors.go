package server

import (
	"errors"
	"net/http"
	"strconv"

	"corridor"
	"corridor/internal/dsp"
)

// statusOf is the one table from kinds of error to HTTP. The protocol answers
// an illegal move with 400; the management API says 409.
func statusOf(k corridor.Kind, family dsp.Type) int {
	switch k {
	case corridor.Invalid:
		return http.StatusBadRequest
	case corridor.Unauthenticated:
		return http.StatusUnauthorized
	case corridor.Forbidden:
		return http.StatusForbidden
	case corridor.RefusedByLaw:
		return http.StatusUnavailableForLegalReasons
	case corridor.NotFound:
		return http.StatusNotFound
	case corridor.Conflict, corridor.ApprovalNeeded:
		if family != "" {
			return http.StatusBadRequest
		}
		return http.StatusConflict
	case corridor.Gone:
		return http.StatusGone
	case corridor.Limited:
		return http.StatusRequestEntityTooLarge
	case corridor.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Problem is an error of the management API (RFC 9457).
type Problem struct {
	Type   string              `json:"type"`
	Title  string              `json:"title"`
	Status int                 `json:"status"`
	Detail string              `json:"detail,omitempty"`
	Kind   string              `json:"kind"`
	Where  string              `json:"where,omitempty"`
	Why    string              `json:"why,omitempty"`
	Fix    string              `json:"fix,omitempty"`
	Cites  []corridor.Citation `json:"cites,omitempty"`
}

// writeError renders an error for whoever asked: an error object of the
// protocol for a peer, a problem document for the rest. What is behind an
// internal error goes to the log alone.
func writeError(w http.ResponseWriter, rt route, q *request, err error) int {
	kind := corridor.KindOf(err)
	status := statusOf(kind, rt.family)
	if errors.Is(err, errMediaType) {
		status = http.StatusUnsupportedMediaType
	}
	var out []byte
	var werr error
	contentType := dsp.MediaType
	if rt.kind == peer && rt.family != "" {
		out, werr = dsp.Encode(dsp.ErrorBody(rt.family, q.provider, q.consumer, err))
	} else {
		contentType = "application/problem+json"
		p := problemOf(err, kind, status)
		if (rt.kind == peer || rt.kind == claim) && kind == corridor.Unavailable { // see dsp.ErrorBody
			p.Where, p.Fix = "", ""
		}
		out, werr = encode(p)
	}
	if werr != nil {
		status, out = http.StatusInternalServerError, nil
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(out)))
	h.Set("X-Content-Type-Options", "nosniff")
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(status)
	w.Write(out) // see write
	return status
}

func problemOf(err error, kind corridor.Kind, status int) Problem {
	p := Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Kind: kind.String()}
	var e *corridor.Error
	if errors.As(err, &e) && kind != corridor.Internal {
		p.Detail, p.Where, p.Why, p.Fix, p.Cites = e.Msg, e.Where, e.Why, e.Fix, e.Cites
	}
	return p
}
