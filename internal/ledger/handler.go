package ledger

import (
	"net/http"
	"strconv"
	"strings"

	"corridor"
)

const (
	immutable = "public, max-age=31536000, immutable"
	octets    = "application/octet-stream"
	plain     = "text/plain; charset=utf-8"
)

// Handler serves the log as C2SP tlog-tiles: /checkpoint, /tile/<L>/<N>, and
// /tile/entries/<N> for those whom Authorise lets through; and, beyond the
// specification, /proof/<index> as tlog-proof and /receipt/<index> for the
// same readers as entries. Hashes, checkpoints and proofs show no content.
func (l *Log) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /checkpoint", l.serveCheckpoint)
	mux.HandleFunc("GET /tile/{path...}", l.serveTile)
	mux.HandleFunc("GET /proof/{index}", l.serveProof)
	mux.HandleFunc("GET /receipt/{index}", l.serveReceipt)
	return mux
}

func (l *Log) serveCheckpoint(w http.ResponseWriter, r *http.Request) {
	signed, err := l.PublicCheckpoint(r.Context())
	if err != nil {
		l.fail(w, r, err)
		return
	}
	write(w, plain, "no-cache", signed)
}

func (l *Log) serveTile(w http.ResponseWriter, r *http.Request) {
	t, ok := parseTilePath(r.PathValue("path"))
	if !ok {
		http.Error(w, "not a tile path", http.StatusNotFound)
		return
	}
	if !t.entries {
		data, err := l.tileData(r.Context(), t.level, t.n, t.width)
		if err != nil {
			l.fail(w, r, err)
			return
		}
		write(w, octets, immutable, data)
		return
	}
	if !l.allowed(w, r, t.n*tileWidth, t.n*tileWidth+int64(t.width)) {
		return
	}
	data, err := l.bundleData(r.Context(), t.n, t.width)
	if err != nil {
		l.fail(w, r, err)
		return
	}
	write(w, octets, "private, max-age=31536000, immutable", data)
}

func (l *Log) serveProof(w http.ResponseWriter, r *http.Request) {
	index, ok := parseIndex(r.PathValue("index"))
	if !ok {
		http.Error(w, "not an index", http.StatusNotFound)
		return
	}
	proof, err := l.Proof(r.Context(), index)
	if err != nil {
		l.fail(w, r, err)
		return
	}
	write(w, plain, "no-cache", proof) // a later one has more cosignatures
}

func (l *Log) serveReceipt(w http.ResponseWriter, r *http.Request) {
	index, ok := parseIndex(r.PathValue("index"))
	if !ok {
		http.Error(w, "not an index", http.StatusNotFound)
		return
	}
	if !l.allowed(w, r, index, index+1) {
		return
	}
	entry, err := l.Receipt(r.Context(), index)
	if err != nil {
		l.fail(w, r, err)
		return
	}
	write(w, "application/json", "private, max-age=31536000, immutable", entry)
}

// allowed asks Authorise; without one nobody reads entries.
func (l *Log) allowed(w http.ResponseWriter, r *http.Request, first, last int64) bool {
	var err error = corridor.E(corridor.Forbidden, "entries of this log are not public")
	if l.cfg.Authorise != nil {
		err = l.cfg.Authorise(r, first, last)
	}
	if err != nil {
		l.fail(w, r, err)
		return false
	}
	return true
}

func (l *Log) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch corridor.KindOf(err) {
	case corridor.NotFound, corridor.Gone:
		http.Error(w, "not found", http.StatusNotFound)
	case corridor.Unauthenticated:
		http.Error(w, "authentication is needed", http.StatusUnauthorized)
	case corridor.Forbidden:
		http.Error(w, "not allowed", http.StatusForbidden)
	default:
		l.cfg.Logger.ErrorContext(r.Context(), "log request failed", "path", r.URL.Path, "err", err)
		http.Error(w, "the log cannot answer now", http.StatusServiceUnavailable)
	}
}

func write(w http.ResponseWriter, contentType, cache string, data []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", cache)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.Write(data) // a client that has gone is no concern of the log
}

type tilePath struct {
	entries bool
	level   int
	n       int64
	width   int
}

// parseTilePath reads what follows /tile/: "<L>/<N>[.p/<W>]" or
// "entries/<N>[.p/<W>]", in the one spelling that the specification allows.
func parseTilePath(s string) (tilePath, bool) {
	var t tilePath
	kind, rest, ok := strings.Cut(s, "/")
	if !ok {
		return t, false
	}
	if kind == "entries" {
		t.entries = true
	} else {
		level, ok := parseIndex(kind)
		if !ok || level > 63 {
			return t, false
		}
		t.level = int(level)
	}
	t.width = tileWidth
	if head, w, partial := strings.Cut(rest, ".p/"); partial {
		width, ok := parseIndex(w)
		if !ok || width < 1 || width >= tileWidth {
			return t, false
		}
		rest, t.width = head, int(width)
	}
	t.n, ok = parseTileIndex(rest)
	return t, ok
}

// parseTileIndex reads "x001/x234/067" as 1234067.
func parseTileIndex(s string) (int64, bool) {
	parts := strings.Split(s, "/")
	if len(parts) > 6 {
		return 0, false
	}
	var n int64
	for i, p := range parts {
		if i < len(parts)-1 {
			var ok bool
			if p, ok = strings.CutPrefix(p, "x"); !ok {
				return 0, false
			}
		}
		if len(p) != 3 || i == 0 && len(parts) > 1 && p == "000" {
			return 0, false
		}
		v, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return 0, false
		}
		n = n*1000 + int64(v)
	}
	return n, true
}

func parseIndex(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 0 && strconv.FormatInt(n, 10) == s
}
