package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"corridor"
	"corridor/internal/identity"
)

// inAuthority names the directory of the authority that acts.
type inAuthority struct {
	speech
	Dir string `required:"" type:"path" help:"Directory of the authority." env:"CORRIDOR_AUTHORITY"`
}

// because is what every order says.
type because struct {
	Reference string   `required:"" help:"File number of the order."`
	Reason    string   `required:"" help:"Why, for the participants."`
	Push      []string `help:"Address of a node to send the order to at once; may be repeated. Its feed brings it to all others." placeholder:"URL" sep:"none"`
}

type authorityAdmitCmd struct {
	inAuthority
	Participant string   `arg:"" help:"Its DID."`
	Name        string   `required:"" help:"Its name."`
	Trait       []string `help:"What it is in the words of the law, such as bank; may be repeated."`
	Until       string   `required:"" placeholder:"YYYY-MM-DD" help:"First day on which the admission no longer holds."`
}

// Help gives an example.
func (authorityAdmitCmd) Help() string {
	return `Example:
  corridor authority admit did:web:gateway.example.kz --name 'Caspian Terminal' --until 2027-12-31 --dir tda
The admission stands in the feed. It counts where a compact asks for corridor-admission/v1.`
}

// Run admits.
func (c authorityAdmitCmd) Run(a *app) error {
	d, err := openAuthority(c.Dir)
	if err != nil {
		return err
	}
	until, err := corridor.ParseDate(c.Until)
	if err != nil {
		return err
	}
	now := time.Now()
	number, _, err := d.act(a, func(number int64) (any, bool, error) {
		return corridor.Admission{Type: corridor.TypeAdmission, Authority: d.entry.ID, Jurisdiction: d.entry.Jurisdiction, Number: number, Participant: c.Participant, Name: c.Name,
			Traits: append([]string{}, c.Trait...), Issued: corridor.Moment(now), ValidFrom: corridor.Moment(now), ValidUntil: corridor.Moment(until.Time())}, false, nil
	})
	if err != nil {
		return err
	}
	return a.print("%d: %s (%s) is admitted until %s\n  in the feed: %s\n", number, c.Participant, d.entry.Jurisdiction, c.Until, d.feedFile())
}

type authorityRevokeCmd struct {
	inAuthority
	because
	Participant string `arg:"" help:"Its DID."`
}

// Help gives an example.
func (authorityRevokeCmd) Help() string {
	return `Example:
  corridor authority revoke did:web:gateway.example.kz --reference 18/2026 --reason 'licence withdrawn' --dir tda
Running streams of the participant stop. Only a new admission restores it.`
}

// Run revokes.
func (c authorityRevokeCmd) Run(a *app) error {
	return c.order(a, c.because, corridor.Order{Act: corridor.OrderRevoke, Target: corridor.Target{Participant: c.Participant}})
}

type authoritySuspendCmd struct {
	inAuthority
	because
	Participant string `help:"DID of the participant that is meant." placeholder:"DID"`
	Dataset     string `help:"Identifier of the dataset that is meant."`
	Class       string `help:"Class of data that is meant, such as health."`
	From        string `help:"Country that the data leaves." placeholder:"CC"`
	To          string `help:"Country that the data goes to." placeholder:"CC"`
	Compact     string `help:"Only flows under this compact." placeholder:"ID"`
	Until       string `help:"The suspension ends by itself at this moment (RFC 3339, UTC)." placeholder:"TIME"`
	Everything  bool   `help:"Confirm that nothing is named: all flows from and to this country stop."`
}

// Help gives an example.
func (authoritySuspendCmd) Help() string {
	return `Examples:
  corridor authority suspend --participant did:web:gateway.example.cn --reference 17/2026 --reason 'an inquiry' --push https://gateway.example.kz --dir tda
  corridor authority suspend --class health --from KZ --to CN --reference 19/2026 --reason 'until the new rules' --dir tda
All that is named must fit. An order reaches flows from and to the authority's own country. It takes effect on each node on
receipt: pushed, or with the feed. Only an order lifts it: corridor authority lift.`
}

// Run suspends.
func (c authoritySuspendCmd) Run(a *app) error {
	t := corridor.Target{Participant: c.Participant, Dataset: c.Dataset, Class: c.Class, From: c.From, To: c.To}
	if t == (corridor.Target{}) && c.Compact == "" && !c.Everything {
		return &corridor.Error{Kind: corridor.Invalid, Msg: "nothing is named", Fix: "name what is to stop, or confirm with --everything"}
	}
	return c.order(a, c.because, corridor.Order{Act: corridor.OrderSuspend, Target: t, Compact: c.Compact, Until: c.Until})
}

type authorityLiftCmd struct {
	inAuthority
	because
	Number int64 `arg:"" help:"Number of the suspension."`
}

// Help gives an example.
func (authorityLiftCmd) Help() string {
	return "Example:\n  corridor authority lift 3 --reference 20/2026 --reason 'the inquiry is closed' --dir tda"
}

// Run lifts.
func (c authorityLiftCmd) Run(a *app) error {
	d, err := openAuthority(c.Dir)
	if err != nil {
		return err
	}
	f, err := d.feed()
	if err != nil {
		return err
	}
	for _, doc := range f.Orders {
		raw, err := doc.Encode()
		if err != nil {
			return err
		}
		if _, o, err := corridor.DecodeOrder(raw); err == nil && o.Number == c.Number && o.Act == corridor.OrderSuspend {
			return c.order(a, c.because, corridor.Order{Act: corridor.OrderLift, Lifts: c.Number})
		}
	}
	return corridor.E(corridor.NotFound, "order %d of this authority is not a suspension", c.Number)
}

// order signs an order under the next number.
func (d authorityDir) order(a *app, b because, o corridor.Order) (int64, []byte, error) {
	return d.act(a, func(number int64) (any, bool, error) {
		o.Type, o.Authority, o.Jurisdiction, o.Number = corridor.TypeOrder, d.entry.ID, d.entry.Jurisdiction, number
		o.Issued, o.Reference, o.Reason = corridor.Moment(time.Now()), b.Reference, b.Reason
		return o, true, nil
	})
}

// order signs an order and sends it where it is to go at once.
func (c inAuthority) order(a *app, b because, o corridor.Order) error {
	d, err := openAuthority(c.Dir)
	if err != nil {
		return err
	}
	number, raw, err := d.order(a, b, o)
	if err != nil {
		return err
	}
	failed := []error{a.print(orderSigned(o.Act), number, b.Reference, d.orderFile(number), d.feedFile())}
	for _, node := range b.Push {
		err := push(a.ctx, node, raw)
		if err == nil {
			err = a.print("  in effect at %s\n", node)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// orderSigned is what is said of a new order.
func orderSigned(act string) string {
	switch act {
	case corridor.OrderLift:
		return "order %d (%s): lift\n  %s\n  in the feed: %s\n"
	case corridor.OrderRevoke:
		return "order %d (%s): revoke\n  %s\n  in the feed: %s\n"
	}
	return "order %d (%s): suspend\n  %s\n  in the feed: %s\n"
}

// maxPushAnswer bounds what is read of a node's answer to a push.
const maxPushAnswer = 64 << 10

// push sends an order to a node.
func push(ctx context.Context, node string, raw []byte) error {
	return pushSigned(ctx, node, raw, "the order is signed and stands in the feed")
}

// pushSigned sends a signed document to a node, and nowhere that the node sends
// it on to. A node on this machine or in an inner network is the operator's own
// choice. done says what is true without it.
func pushSigned(ctx context.Context, node string, raw []byte, done string) error {
	client := identity.Guard{AllowPrivate: true, Timeout: 30 * time.Second, MaxBody: maxPushAnswer}.Client()
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(node, "/")+"/corridor/orders", bytes.NewReader(raw))
	if err != nil {
		return corridor.E(corridor.Invalid, "--push %s: %w", node, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return corridor.E(corridor.Unavailable, "%s, but could not be pushed to %s: %w", done, node, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // the status says enough without it
		return corridor.E(corridor.Conflict, "%s, but %s did not take it: status %d: %s", done, node, resp.StatusCode, strings.TrimSpace(string(why)))
	}
	return nil
}

type authorityFeedCmd struct {
	inAuthority
	Serve string `help:"Serve the feed on this address, and sign it anew before each refresh, until interrupted." placeholder:"HOST:PORT"`
}

// Help gives an example.
func (authorityFeedCmd) Help() string {
	return `Examples:
  corridor authority feed --dir tda
  corridor authority feed --serve 127.0.0.1:8090 --dir tda
The first signs the feed once, for a timer that runs it more often than the feed lives; any web server can serve public/.
The second serves it by itself; put https in front.`
}

// Run signs once, or serves.
func (c authorityFeedCmd) Run(a *app) error {
	d, err := openAuthority(c.Dir)
	if err != nil {
		return err
	}
	if err := d.anew(a); err != nil {
		return err
	}
	if c.Serve == "" {
		f, err := d.feed()
		if err != nil {
			return err
		}
		return a.print("%s\n  feed %d, good until %s\n", d.feedFile(), f.Number, f.NextUpdate)
	}
	l, err := new(net.ListenConfig).Listen(a.ctx, "tcp", c.Serve)
	if err != nil {
		return corridor.E(corridor.Invalid, "--serve: %w", err)
	}
	fmt.Fprintf(a.stdout, "http://%s/feed.json\n", l.Addr())
	return d.serve(a, l)
}

// serve serves what is public, and signs the feed anew in time, until it is
// interrupted.
func (d authorityDir) serve(a *app, l net.Listener) error {
	srv := &http.Server{Handler: http.FileServerFS(os.DirFS(filepath.Join(d.dir, "public"))), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, MaxHeaderBytes: 64 << 10}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	again := time.NewTicker(max(time.Duration(d.settings.Refresh)*time.Second/2, time.Second))
	defer again.Stop()
	for {
		select {
		case <-a.ctx.Done():
			return srv.Close()
		case err := <-ended:
			return corridor.E(corridor.Unavailable, "%w", err)
		case <-again.C:
			if err := d.anew(a); err != nil {
				return errors.Join(err, srv.Close())
			}
		}
	}
}

// anew signs what there is with the times of now.
func (d authorityDir) anew(a *app) error {
	f, err := d.feed()
	if err != nil {
		return err
	}
	return d.sign(a, f, time.Now())
}
