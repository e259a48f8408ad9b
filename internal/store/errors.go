package store

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"corridor"
)

func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// IsUnique says whether err comes from a row that already exists.
func IsUnique(err error) bool {
	c := code(err)
	return sqlState(err) == stateUnique || c == lib.SQLITE_CONSTRAINT_UNIQUE || c == lib.SQLITE_CONSTRAINT_PRIMARYKEY
}

// rollsBack lists the errors after which SQLite may end the whole
// transaction on its own (sqlite.org/lang_transaction.html, section 3), and
// those after which a server has.
func rollsBack(err error) bool {
	if serialisation(err) || lostConnection(err) {
		return true
	}
	switch code(err) & 0xff {
	case lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_NOMEM, lib.SQLITE_BUSY, lib.SQLITE_INTERRUPT, lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return true
	}
	return false
}

// certainlyRolledBack lists the failures of COMMIT that leave nothing behind.
func certainlyRolledBack(err error) bool {
	switch code(err) & 0xff {
	case lib.SQLITE_FULL, lib.SQLITE_BUSY, lib.SQLITE_CONSTRAINT, lib.SQLITE_ERROR:
		return true
	}
	return false
}

// describe puts an error of the file into words that an operator can act on.
// Errors that are not the file's pass unchanged.
func describe(path string, err error) error {
	if IsServer(path) {
		return describeServer(path, err)
	}
	var known *corridor.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return notWritten(err)
	}
	e := &corridor.Error{Kind: corridor.Unavailable, Where: path, Err: err}
	switch c := code(err); {
	case c&0xff == lib.SQLITE_FULL || errors.Is(err, syscall.ENOSPC):
		e.Msg, e.Fix = "the disk is full; nothing was written", "free space on the disk of the database"
	case c&0xff == lib.SQLITE_NOTADB:
		e.Kind, e.Msg, e.Fix = corridor.Invalid, "the file is not a Corridor database", "give the path of a new file, or of one that Corridor made"
	case c&0xff == lib.SQLITE_CORRUPT:
		e.Msg, e.Fix = "the database file is damaged", "restore the last backup; the witnesses will say what is missing from the log"
	case c&0xff == lib.SQLITE_READONLY || c&0xff == lib.SQLITE_PERM || c&0xff == lib.SQLITE_CANTOPEN || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		e.Kind, e.Msg, e.Fix = corridor.Forbidden, "the database cannot be written", "let the user of this process write the file and its directory"
	case c&0xff == lib.SQLITE_BUSY || c&0xff == lib.SQLITE_LOCKED:
		e.Kind, e.Msg, e.Fix = corridor.Conflict, "another program holds the database", "close the other program, for example a sqlite3 shell"
	case c&0xff == lib.SQLITE_IOERR:
		e.Msg, e.Fix = "the disk gave an error", "check the disk; see the cause in the log"
	case c != 0:
		e.Kind, e.Msg = corridor.Internal, "the database refused a statement"
	default:
		return err
	}
	return e
}
