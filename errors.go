package corridor

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Kind is what a caller must be able to tell apart. One table in
// internal/server maps kinds to HTTP, one in cmd/corridor to exit codes.
type Kind uint8

// The kinds of error. The zero Kind is Internal.
const (
	Internal Kind = iota
	Invalid
	Unauthenticated
	Forbidden
	RefusedByLaw
	ApprovalNeeded
	NotFound
	Conflict
	Gone
	Limited
	Unavailable
)

var kindNames = [...]string{"internal", "invalid", "unauthenticated", "forbidden", "refused_by_law", "needs_approval",
	"not_found", "conflict", "gone", "limited", "unavailable"}

// String names the kind in logs and problem documents.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Error is a refusal that a stranger can act on: what is wrong, where, why,
// and what would fix it. Msg, Where, Why and Fix may be shown to a peer; Err
// may not.
type Error struct {
	Kind  Kind
	Msg   string     // what is wrong
	Where string     // file:line:column, field or row
	Why   string     // article or specification section
	Fix   string     // what would make it right
	Cites []Citation // for RefusedByLaw and ApprovalNeeded
	Err   error      // the cause, for logs
}

// Error renders the parts that are set, in reading order.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Where != "" {
		b.WriteString(e.Where + ": ")
	}
	b.WriteString(e.Msg)
	if e.Msg == "" {
		b.WriteString(e.Kind.String())
	}
	if e.Err != nil && e.Err.Error() != "" {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Why != "" {
		b.WriteString(" (" + e.Why + ")")
	}
	if e.Fix != "" {
		b.WriteString("; " + e.Fix)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf finds the kind of err, Internal if it carries none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// E makes an error of a kind with a formatted message; a %w in the format
// keeps its cause for errors.Is and errors.As.
func E(kind Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Msg: err.Error(), Err: quiet(errors.Unwrap(err))}
}

// quiet keeps a cause reachable without printing it twice.
func quiet(err error) error {
	if err == nil {
		return nil
	}
	return silent{err}
}

type silent struct{ error }

func (s silent) Error() string { return "" }
func (s silent) Unwrap() error { return s.error }

// Unreadable is the error for a file that somebody named and that cannot be
// used, with what to do about it.
func Unreadable(err error) error {
	e := &Error{Kind: Invalid, Err: unsaid{err}}
	var p *fs.PathError
	if errors.As(err, &p) {
		e.Where = p.Path
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Msg, e.Fix = "no such file or directory", "check the path; a relative one starts in the directory where corridor was started"
	case errors.Is(err, fs.ErrPermission):
		e.Msg, e.Fix = "may not be read", "check the permissions of the file and of the directories above it"
	default:
		return E(Invalid, "%w", err)
	}
	return e
}

// Unwritable is the error for a file that somebody named and that cannot be
// made.
func Unwritable(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err // the path in it is that of a file on the way
	}
	return &Error{Kind: Invalid, Where: path, Msg: "cannot be written", Err: err, Fix: "name a file in a directory that exists and in which you may write"}
}

// unsaid is a cause that the words of an error have told already.
type unsaid struct{ cause error }

func (unsaid) Error() string   { return "" }
func (u unsaid) Unwrap() error { return u.cause }
