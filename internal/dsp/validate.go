package dsp

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"corridor"
)

// firstOf gives the first error that is not nil.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func invalid(where, msg, fix string) *corridor.Error {
	return &corridor.Error{Kind: corridor.Invalid, Where: where, Msg: msg, Fix: fix}
}

func fieldErr(at *path, e *corridor.Error, fix string) error {
	e.Where, e.Fix = at.String(), fix
	return e
}

func missing(at *path) error { return invalid(at.String(), "is missing", "") }

func twice(at *path) error {
	return invalid(at.String(), "occurs twice", "say it once: two readers could pick different ones")
}

func tooMany(at *path) error {
	return &corridor.Error{Kind: corridor.Limited, Where: at.String(), Msg: "the message holds more than " + strconv.Itoa(maxObjects) + " objects and elements", Fix: "send less in one message"}
}

// need demands a text of a sensible length without control characters.
func need(at, s string) error {
	if s == "" {
		return invalid(at, "is missing or empty", "")
	}
	return short(at, s)
}

// pid demands an identifier that can stand as one segment of a path.
func pid(at, s string) error {
	if s == "." || s == ".." {
		return invalid(at, strconv.Quote(s)+" cannot be an identifier", "use a urn:uuid")
	}
	return need(at, s)
}

func short(at, s string) error {
	if len(s) > maxText {
		return &corridor.Error{Kind: corridor.Limited, Where: at, Msg: "is over the limit of " + strconv.Itoa(maxText) + " bytes"}
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return invalid(at, "holds control characters", "")
	}
	return nil
}

func exactlyOne(nameA, a, nameB, b string) error {
	if (a == "") == (b == "") {
		have := "neither"
		if a != "" {
			have = "both"
		}
		return invalid(nameA, "exactly one of "+nameA+" and "+nameB+" belongs in the message; it has "+have,
			"give "+nameB+" to open a process, "+nameA+" to continue one")
	}
	return firstOf(short(nameA, a), short(nameB, b))
}

// address demands an absolute http or https URL, if there is one.
func address(at, s string) error {
	if s == "" {
		return nil
	}
	if err := short(at, s); err != nil {
		return err
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return invalid(at, strconv.Quote(clip(s))+" is not an address that messages can be sent to", "give an absolute https URL without user, query or fragment")
	}
	return nil
}

func index(at string, i int) string { return at + "[" + strconv.Itoa(i) + "]" }

func first(raw json.RawMessage) byte {
	d := decoder{data: raw}
	return d.peek()
}

func quote(s string) json.RawMessage {
	b, err := marshal(s)
	if err != nil { // a string always marshals
		return json.RawMessage(`""`)
	}
	return b
}
