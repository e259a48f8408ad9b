package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"corridor"
)

// sqlState is the server's code of an error (PostgreSQL, appendix A), or "".
func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

const (
	stateUnique        = "23505"
	stateSerialisation = "40001"
	stateDeadlock      = "40P01"
	stateSpoilt        = "25P02" // a statement before failed
	stateSilent        = "25P03" // idle_in_transaction_session_timeout
)

// serialisation says whether the server refused for reasons of concurrency
// alone.
func serialisation(err error) bool {
	s := sqlState(err)
	return s == stateSerialisation || s == stateDeadlock
}

// lostConnection says whether nothing more can be said to the server on this
// connection, and whatever was open on it is rolled back or unknown.
func lostConnection(err error) bool {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.SeverityUnlocalized == "FATAL" || server.SeverityUnlocalized == "PANIC" || strings.HasPrefix(server.Code, "08") || server.Code == stateSilent
	}
	var network net.Error
	return unreachable(err) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// unreachable says whether a connection could not be made at all.
func unreachable(err error) bool {
	var connect *pgconn.ConnectError
	return errors.As(err, &connect)
}

// describeServer puts an error of the server into words that an operator can
// act on. Errors that are not the server's pass unchanged.
func describeServer(place string, err error) error {
	var known *corridor.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	e := &corridor.Error{Kind: corridor.Unavailable, Where: place, Err: err}
	state := sqlState(err)
	class := state[:min(2, len(state))]
	switch {
	case state == "53100":
		e.Msg, e.Fix = "the disk of the database server is full; nothing was written", "free space on the server"
	case state == "53300":
		e.Msg, e.Fix = "the database server takes no more connections", "raise max_connections on the server: a node needs up to ten"
	case state == "28P01" || class == "28":
		e.Kind, e.Msg, e.Fix = corridor.Forbidden, "the database server does not let this user in", "check user and password in the address, and pg_hba.conf on the server"
	case state == "3D000":
		e.Kind, e.Msg, e.Fix = corridor.Invalid, "there is no such database on the server", "make it: createdb --encoding UTF8 --template template0 NAME"
	case state == "3F000":
		e.Kind, e.Msg, e.Fix = corridor.Invalid, "there is no such schema in the database", "make it: CREATE SCHEMA NAME, or take search_path out of the address"
	case state == "42501":
		e.Kind, e.Msg, e.Fix = corridor.Forbidden, "the database user may not do this", "let it own its database: ALTER DATABASE NAME OWNER TO USER"
	case state == "25006":
		e.Msg, e.Fix = "the database server only reads: it is a standby", "give the address of the primary, or add target_session_attrs=read-write and all hosts"
	case state == "55P03" || state == "57014":
		e.Msg, e.Fix = "the database took too long; nothing was written", "look for what holds it: SELECT * FROM pg_stat_activity"
	case serialisation(err):
		e.Msg, e.Fix = "others changed the same at the same time; nothing was written", "try again"
	case state == "22021" || state == "22P05":
		e.Kind, e.Msg, e.Fix = corridor.Invalid, "a text holds a character that the database cannot keep", "leave out the character U+0000"
	case state == "54000":
		e.Kind, e.Msg, e.Fix = corridor.Limited, "a name or identifier is too long for the database", "keep it under 2000 bytes"
	case state == stateSilent:
		e.Msg, e.Fix = "the database server ended a transaction that this node let rest; nothing was written", "try again"
	case !unreachable(err) && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		return notWritten(err)
	case lostConnection(err):
		e.Msg, e.Fix = "the database cannot be reached; nothing was written", "start the server or mend the network to it; a running node goes on by itself"
	case state != "":
		e.Kind, e.Msg = corridor.Internal, "the database refused a statement"
	default:
		return err
	}
	return e
}
