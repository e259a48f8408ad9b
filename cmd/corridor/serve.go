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
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // a day begins where TZ says, also on a machine without zone files

	"golang.org/x/sync/errgroup"

	"corridor"
	"corridor/internal/editions"
)

// serveCmd runs a node.
type serveCmd struct {
	Dir string `default:"." type:"path" help:"Node directory." env:"CORRIDOR_DIR"`
	DB  string `name:"db" env:"CORRIDOR_DB" help:"Where the state is, instead of what the configuration says: a file, or the address of a PostgreSQL database. Other users see the arguments of a process: give a password in the environment variable." placeholder:"PLACE"`

	ClockIsRight bool `name:"clock-is-right" help:"Your word, for this start, that the machine's clock is right although it has gone on by more than a week since the node was last there. Without it nothing that has waited too long is ended until a peer or a witness says the same time."`

	speech
}

// Help gives an example.
func (serveCmd) Help() string {
	return `Example:
  corridor serve --dir node
  CORRIDOR_DB='postgres://corridor:PASSWORD@db.example.org/corridor?sslmode=verify-full' corridor serve --dir node
  TZ=Asia/Tashkent corridor serve --dir node
Days - of the law, of deadlines, of the year's count - begin in the time zone of TZ, or of the machine.
It stops on Ctrl-C or SIGTERM; what is under way is taken up at the next start. The log goes to standard error as JSON.`
}

// Run opens the node and serves until it is told to stop.
func (c serveCmd) Run(a *app) error {
	started := time.Now()
	if err := knownZone(os.Getenv("TZ"), time.Local); err != nil {
		return err
	}
	cfg, err := loadConfig(c.Dir)
	if err != nil {
		return err
	}
	if cfg, err = cfg.with(c.DB); err != nil {
		return err
	}
	cfg.clockIsRight = c.ClockIsRight
	log := slog.New(slog.NewJSONHandler(a.stderr, &slog.HandlerOptions{Level: level(cfg.LogLevel)}))
	l, err := listen(a.ctx, cfg)
	if err != nil {
		return err
	}
	defer l.Close()
	rules, signed, err := cfg.packStore().Load(editions.Images(filepath.Join(c.Dir, "cache")))
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
	if err := a.print("%s\n  %s (%s), signs with %s\n  manage it with: corridor status --dir %s\n", n.base, cfg.DID, cfg.Jurisdiction, cfg.Suite, c.Dir); err != nil {
		log.Warn("what runs here is not on standard output", "error", err)
	}
	g.Go(func() error { // what the start needed and nobody will need again
		debug.FreeOSMemory()
		if err := dropStart(); err != nil {
			log.Debug(err.Error())
		}
		return nil
	})
	log.Info("serving", "did", cfg.DID, "jurisdiction", cfg.Jurisdiction, "url", n.base, "listen", l.Addr().String(), "zone", time.Now().Format("-07:00 MST"), "ms", time.Since(started).Milliseconds())
	err = g.Wait()
	log.Info("stopped", "err", errText(err))
	return errors.Join(err, n.close())
}

// knownZone refuses a time zone that is not understood: the runtime takes UTC
// for it, and every day of the law would begin at another hour without a word.
func knownZone(tz string, taken *time.Location) error {
	name := strings.TrimPrefix(tz, ":")
	if name == "" || name == "UTC" || taken.String() != "UTC" {
		return nil
	}
	return &corridor.Error{Kind: corridor.Invalid, Where: "TZ", Msg: fmt.Sprintf("%q is not a time zone that is known here", tz), Fix: "use a name such as Asia/Tashkent, or unset TZ"}
}

// servingGC lets the heap of a node grow to this many percent before garbage
// is collected: its live heap is small, and its work is short. Collecting takes
// a fortieth of the processor; more room would save less than it holds.
const servingGC = 200

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
