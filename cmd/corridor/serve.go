package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"corridor"
)

// serveCmd runs a node.
type serveCmd struct {
	Dir string `default:"." type:"path" help:"Node directory." env:"CORRIDOR_DIR"`
}

// Help gives an example.
func (serveCmd) Help() string {
	return `Example:
  corridor serve --dir node
It stops on Ctrl-C or SIGTERM; what is under way is taken up at the next start. The log goes to standard error as JSON.`
}

// Run opens the node and serves until it is told to stop.
func (c serveCmd) Run(a *app) error {
	started := time.Now()
	cfg, err := loadConfig(c.Dir)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(a.stderr, &slog.HandlerOptions{Level: level(cfg.LogLevel)}))
	l, err := listen(a.ctx, cfg)
	if err != nil {
		return err
	}
	defer l.Close()
	rules, signed, err := cfg.packStore().load(imageDir(filepath.Join(c.Dir, "cache")))
	if err != nil {
		return err
	}
	n, err := openNode(a.ctx, cfg, rules, signed, log)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(servingGC)
	}
	g, ctx := errgroup.WithContext(a.ctx)
	g.Go(func() error { return n.run(ctx, l) })
	fmt.Fprintf(a.stdout, "%s\n  %s (%s), signs with %s\n  manage it with: corridor status --dir %s\n", n.base, cfg.DID, cfg.Jurisdiction, cfg.Suite, c.Dir)
	log.Info("serving", "did", cfg.DID, "jurisdiction", cfg.Jurisdiction, "url", n.base, "listen", l.Addr().String(), "ms", time.Since(started).Milliseconds())
	err = g.Wait()
	log.Info("stopped", "err", errText(err))
	return errors.Join(err, n.close())
}

// servingGC lets the heap of a node grow to this many percent before garbage
// is collected: its live heap is small, and its work is short.
const servingGC = 300

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// level is the log level of a name that the configuration has checked.
func level(name string) slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(name)) // checked by config
	return l
}

// listen opens the node's address before anything else, so that a second node
// on it fails at once.
func listen(ctx context.Context, cfg config) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &corridor.Error{Kind: corridor.Conflict, Msg: "something listens on " + cfg.Listen + " already", Fix: "stop it, or change listen in " + cfg.path(configFile)}
	case err != nil:
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: cfg.path(configFile), Msg: "cannot listen on " + cfg.Listen + ": " + err.Error(), Fix: "change listen"}
	}
	return l, nil
}
