package main

import (
	"fmt"
	"net/url"
	"time"

	"corridor/internal/catalog"
)

// transferCmd fetches the data of an agreement.
type transferCmd struct {
	nodeFlags
	Agreement string `arg:"" help:"Agreement, as corridor agreements shows it." complete:"agreements"`
	Push      bool   `help:"Let the provider push the data here instead of fetching it."`
	GoesOn    bool   `help:"The dataset grows: bring each increment, until one side ends the transfer."`
	NoWait    bool   `help:"Return at once instead of waiting for the end."`
}

// Help gives an example and the exit codes.
func (transferCmd) Help() string {
	return `Example:
  corridor transfer urn:uuid:... --dir node
  corridor transfer urn:uuid:... --push --dir node    # for a provider that has no address to fetch from
  corridor transfer urn:uuid:... --goes-on --dir node # for a dataset that grows; with --push each increment is pushed
The file appears under its name only when its digest has been checked. Exit code 0: completed. 3: it waits for a person
of this node or is suspended. 1: terminated. While it waits for the provider, Ctrl-C leaves it going: corridor transfers.
Of a transfer that goes on each increment is told when it is here; corridor finish, suspend, resume and terminate act on all of it.`
}

// Run asks for the transfer and shows its progress until it ends.
func (c transferCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	var t transferView
	ask := map[string]string{"agreement": c.Agreement}
	switch {
	case c.Push && c.GoesOn:
		ask["format"] = catalog.FormatGrowingPush
	case c.Push:
		ask["format"] = catalog.FormatPush
	case c.GoesOn:
		ask["format"] = catalog.FormatGrowing
	}
	if err := node.post(a.ctx, "/api/transfers", ask, &t); err != nil {
		return err
	}
	if !c.NoWait {
		if t, err = c.follow(a, node, t.PID); err != nil {
			return err
		}
	}
	if c.JSON {
		err = printJSON(a.stdout, t)
	} else {
		err = printTransfer(a, t)
	}
	switch {
	case err != nil:
		return err
	case t.State == "TERMINATED":
		return exit(exitFailed)
	case !c.NoWait && t.State != "COMPLETED":
		return exit(exitApproval)
	}
	return nil
}

// follow redraws the progress on a terminal until the transfer has ended or
// waits on a person.
func (c transferCmd) follow(a *app, node *nodeClient, pid string) (transferView, error) {
	screen := newShow(a.stderr, c.JSON)
	defer screen.clear()
	wait := url.Values{"wait": {"30s"}}
	switch {
	case screen.live:
		wait = url.Values{"wait": {progressEvery.String()}}
	case c.GoesOn:
		wait = url.Values{"wait": {"2s"}}
	}
	started := time.Now()
	var told patience
	var shown int64
	for {
		var t transferView
		var err error
		if err = node.get(a.ctx, "/api/transfers/"+url.PathEscape(pid), wait, &t); err != nil {
			return t, err
		}
		if shown, err = c.increments(a, node, t, shown); err != nil {
			return t, err
		}
		if t.State == "COMPLETED" || t.State == "TERMINATED" || t.State == "SUSPENDED" || t.Waiting != nil && t.Waiting.On == "operator" {
			return t, nil
		}
		told.tell(a, t.PID, t.Waiting, "corridor transfers")
		screen.progress(fmt.Sprintf("%s  %s  %s", t.State, megabytes(t.Bytes), duration(time.Since(started))))
		if err := a.ctx.Err(); err != nil {
			return t, err
		}
	}
}

// increments tells of those of a transfer that are here and were not told yet,
// and gives the last one that was.
func (c transferCmd) increments(a *app, node *nodeClient, t transferView, shown int64) (int64, error) {
	for ; shown < t.Increments; shown++ {
		var part transferView
		if err := node.get(a.ctx, "/api/transfers/"+url.PathEscape(fmt.Sprintf("%s~%d", t.PID, shown+1)), nil, &part); err != nil {
			return shown, err
		}
		if part.SHA256 == "" {
			return shown, nil
		}
		if !c.JSON {
			fmt.Fprint(a.stderr, a.text("increment %d  %d rows  %d bytes  %s  %s\n", part.Number, part.Rows, part.Bytes, part.SHA256, part.File))
		}
	}
	return shown, nil
}

// megabytes writes a size for a person.
func megabytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f GB", float64(n)/1e9)
}

// note says on whom a transfer waits, or what never came of it.
func (t transferView) note(a *app) string {
	if t.Waiting == nil && t.Unconfirmed != nil && t.Acknowledged == nil {
		return a.text("not confirmed by %s: entry %d of the log", t.ConfirmBy, t.Unconfirmed.Index)
	}
	return a.waits(t.Waiting)
}

// progressEvery is how often a client looks at a running transfer to redraw
// its progress.
const progressEvery = 250 * time.Millisecond

// transfersCmd lists this node's transfers.
type transfersCmd struct {
	nodeFlags
}

// Help gives an example.
func (transfersCmd) Help() string { return "Example:\n  corridor transfers --dir node" }

// Run prints one line per transfer.
func (c transfersCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	items, err := allPages[transferView](a.ctx, node, "/api/transfers", nil)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, items)
	}
	rows := [][]string{{a.text("TRANSFER"), a.text("STATE"), a.text("ROLE"), a.text("SIZE"), a.text("FILE"), ""}}
	for _, t := range items {
		rows = append(rows, []string{t.PID, a.stateOf(t.State), a.text(t.Role), megabytes(t.Bytes), t.File, t.note(a)})
	}
	return columns(a.stdout, a.text("no transfers yet"), rows)
}
