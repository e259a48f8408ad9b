package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"corridor"
	"corridor/internal/ledger"
	"corridor/internal/store"
)

// witnessCmd runs a witness: it cosigns the checkpoints of other people's
// logs as long as each continues the one before.
type witnessCmd struct {
	Dir    string   `required:"" type:"path" help:"Directory of the witness's key and memory. It is made if it is missing."`
	Name   string   `help:"Name of a new witness, such as witness.example.kz. It stays for ever."`
	Suite  []string `enum:"Ed25519,ML-DSA-44" help:"Keys that cosign: Ed25519, ML-DSA-44, or both. One that is missing is made. Default: those that the directory has, and Ed25519 for a new witness."`
	Listen string   `default:"127.0.0.1:0" help:"Address to listen on. Put TLS in front of any but a loopback address."`
	Log    []string `sep:"none" help:"vkey of a log to cosign (origin+hash+key). Repeatable."`
	Logs   string   `type:"existingfile" help:"File with one vkey on each line, or a tlog-policy, whose log lines are taken."`

	speech
}

// Help gives an example.
func (witnessCmd) Help() string {
	return "Witnesses of other countries are what makes a second history of a log visible. A witness sees sizes and hashes, never an entry.\n\n" +
		"Example:\n  corridor witness --dir witness --name witness.example.uz --listen 127.0.0.1:8200 --log 'gw.example.kz/log+1a2b3c4d+AQ...'\n" +
		"  corridor witness --dir witness --name witness.example.uz --suite Ed25519 --suite ML-DSA-44 --logs logs.txt"
}

const (
	witnessIO   = 15 * time.Second
	witnessStop = 5 * time.Second
)

// Run serves until the context ends.
func (c witnessCmd) Run(a *app) error {
	logs, err := c.vkeys()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return corridor.E(corridor.Invalid, "%w", err)
	}
	name, keys, err := ledger.WitnessKeys(c.Dir, c.Name, c.Suite...)
	if err != nil {
		return err
	}
	db, err := store.Open(a.ctx, filepath.Join(c.Dir, "witness.db"), ledger.WitnessMigrations...)
	if err != nil {
		return err
	}
	err = c.serve(a, db, ledger.WitnessConfig{Name: name, Keys: keys, Logs: logs, Logger: slog.New(slog.NewTextHandler(a.stderr, nil))})
	return errors.Join(err, db.Close())
}

func (c witnessCmd) serve(a *app, db *store.DB, cfg ledger.WitnessConfig) error {
	w, err := ledger.NewWitness(db, cfg)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return &corridor.Error{Kind: corridor.Unavailable, Msg: "cannot listen on " + c.Listen, Fix: "give a free address with --listen", Err: err}
	}
	srv := &http.Server{Handler: w.Handler(), ReadHeaderTimeout: witnessIO, ReadTimeout: witnessIO, WriteTimeout: witnessIO, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelWarn)}
	c.announce(a, cfg.Name, w.VKeys(), l.Addr().String())
	if len(cfg.Logs) == 0 {
		fmt.Fprint(a.stdout, a.text("No log is cosigned yet: add --log VKEY or --logs FILE.\n"))
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err = <-served:
		return corridor.E(corridor.Unavailable, "witness: %w", err)
	case <-a.ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), witnessStop)
	defer cancel()
	return srv.Shutdown(ctx)
}

// announce prints what others need to know of the witness.
func (witnessCmd) announce(a *app, name string, vkeys []string, addr string) {
	for _, vkey := range vkeys {
		fmt.Fprintf(a.stdout, "vkey %s\n", vkey)
	}
	fmt.Fprintf(a.stdout, "url http://%s\n", addr)
	for i, vkey := range vkeys {
		label := name
		if i > 0 { // a policy names each key once
			label = fmt.Sprintf("%s/%d", name, i+1)
		}
		fmt.Fprint(a.stdout, a.text("For policies: witness %s %s http://%s\n", label, vkey, addr))
	}
	if len(vkeys) > 1 {
		fmt.Fprint(a.stdout, a.text("These are keys of one witness. A policy takes one of them, or counts both as one: group NAME any %s %s\n", name, name+"/2"))
	}
}

// vkeys collects the logs of flags and file.
func (c witnessCmd) vkeys() ([]string, error) {
	list := c.Log
	if c.Logs == "" {
		return list, nil
	}
	raw, err := readUpTo(c.Logs, 1<<20)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) == 0 || strings.HasPrefix(f[0], "#"):
		case f[0] == "log" && len(f) > 1:
			list = append(list, f[1])
		case len(f) == 1:
			list = append(list, f[0])
		}
	}
	return list, lines.Err()
}
