package dsp

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"corridor"
)

// PeerError is why a peer did not take a message. It unwraps to a
// *corridor.Error whose Kind says the same to those who do not care for the
// protocol.
type PeerError struct {
	Status     int           // HTTP status, 0 if there was no answer
	Type       string        // "@type" of the peer's error object, if it sent one
	Code       string        // its code
	Reasons    []string      // its reasons
	RetryAfter time.Duration // what the peer asked for, at most an hour

	permanent bool
	err       *corridor.Error
}

// Error implements error.
func (e *PeerError) Error() string { return e.err.Error() }

// Unwrap gives the *corridor.Error.
func (e *PeerError) Unwrap() error { return e.err }

// Permanent says that sending the same message again cannot help.
func (e *PeerError) Permanent() bool { return e.permanent }

// Permanent says whether err means that the message will never be taken:
// the peer refused it for good, or it cannot be sent at all. Anything else
// deserves another, bounded, attempt.
func Permanent(err error) bool {
	var p *PeerError
	if errors.As(err, &p) {
		return p.permanent
	}
	k := corridor.KindOf(err)
	return k == corridor.Invalid || k == corridor.Forbidden
}

// refused turns a peer's answer into an error.
//
// 404 is not permanent: a peer may not have stored the process yet when a
// quick message arrives, and the protocol answers 404 to a caller that it
// does not know (its view of our DID document may lag). 409 may be a busy
// process. The caller bounds the attempts.
func refused(req *http.Request, resp *http.Response, body []byte) error {
	e := &PeerError{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"))}
	e.readBody(body)
	kind, permanent := kindOfStatus(resp.StatusCode)
	e.permanent = permanent
	e.err = &corridor.Error{Kind: kind, Msg: fmt.Sprintf("%s answered %d", req.URL.Host, resp.StatusCode)}
	if resp.StatusCode/100 == 3 {
		e.err.Msg += " (a redirect, which is not followed)"
		e.err.Fix = "use the peer's final address"
	}
	if what := e.detail(); what != "" {
		e.err.Msg += ": " + what
	}
	return e
}

func (e *PeerError) detail() string {
	parts := make([]string, 0, 2)
	if e.Code != "" {
		parts = append(parts, "code "+strconv.Quote(e.Code))
	}
	if len(e.Reasons) > 0 {
		parts = append(parts, strings.Join(e.Reasons, "; "))
	}
	return strings.Join(parts, ", ")
}

// readBody takes what it can from an error object; a body that is not one is
// quoted, shortened.
func (e *PeerError) readBody(body []byte) {
	var o struct {
		Type   json.RawMessage `json:"@type"`
		Code   json.RawMessage `json:"code"`
		Reason Reasons         `json:"reason"`
	}
	if err := lenient(body, &o); err != nil {
		if text := strings.TrimSpace(string(body)); text != "" {
			e.Reasons = []string{strconv.Quote(clip(text))}
		}
		return
	}
	e.Type, e.Code = clip(rawText(o.Type)), clip(rawText(o.Code))
	for _, r := range o.Reason {
		if len(e.Reasons) == 10 {
			break
		}
		e.Reasons = append(e.Reasons, strings.Map(printable, clipReason(r)))
	}
}

// clipReason keeps of a peer's reason what a person needs: an article, or the
// file number of an order that stands behind the refusal.
func clipReason(s string) string {
	const most = 240
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// lenient decodes an error body within all limits, without demanding a
// context.
func lenient(body []byte, into any) error {
	if len(body) == 0 || !json.Valid(body) {
		return corridor.E(corridor.Invalid, "not JSON")
	}
	d := &decoder{data: body}
	return d.value(reflect.ValueOf(into).Elem(), nil, 0)
}

func rawText(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	return strings.Map(printable, reasonText(raw))
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

func kindOfStatus(status int) (kind corridor.Kind, permanent bool) {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusUnsupportedMediaType, http.StatusMethodNotAllowed, http.StatusNotAcceptable:
		return corridor.Invalid, true
	case http.StatusUnauthorized:
		return corridor.Unauthenticated, false // the next attempt carries a fresh token
	case http.StatusForbidden, http.StatusUnavailableForLegalReasons:
		return corridor.Forbidden, true
	case http.StatusNotFound:
		return corridor.NotFound, false
	case http.StatusConflict, http.StatusLocked, http.StatusPreconditionFailed:
		return corridor.Conflict, false
	case http.StatusGone:
		return corridor.Gone, true
	case http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge:
		return corridor.Limited, true
	case http.StatusTooManyRequests:
		return corridor.Limited, false
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return corridor.Unavailable, false
	case http.StatusNotImplemented:
		return corridor.Unavailable, true
	}
	if status >= 500 {
		return corridor.Unavailable, false
	}
	return corridor.Invalid, true
}

func retryAfter(h string) time.Duration {
	s, err := strconv.Atoi(strings.TrimSpace(h))
	if err != nil || s <= 0 {
		return 0
	}
	return min(time.Duration(min(s, 3600))*time.Second, time.Hour)
}
