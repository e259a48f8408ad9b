package main

import (
	"fmt"
	"time"

	"corridor"
	"corridor/internal/identity"
)

// keysCmd shows and changes the keys of a node, also while it runs.
type keysCmd struct {
	List   keysListCmd   `cmd:"" default:"withargs" help:"Show the keys of a node: which sign, which will, and which only verify."`
	Rotate keysRotateCmd `cmd:"" help:"Change a key of a node without stopping it."`
	Drop   keysDropCmd   `cmd:"" help:"Let go of an old key whose signatures nobody needs."`
}

type keysDir struct {
	speech
	Dir string `default:"." type:"path" help:"Node directory." env:"CORRIDOR_DIR"`
}

// ring opens the keys of a node's directory.
func (k keysDir) ring(a *app) (*identity.Ring, error) {
	cfg, err := loadConfig(k.Dir)
	if err != nil {
		return nil, err
	}
	n := &running{cfg: cfg}
	if err := n.openKeys(a.ctx); err != nil {
		return nil, err
	}
	return n.ring, nil
}

type keysListCmd struct {
	keysDir
	JSON bool `help:"Print JSON."`
}

// Help gives an example.
func (keysListCmd) Help() string { return "Example:\n  corridor keys --dir node" }

// Run prints one line per key.
func (c keysListCmd) Run(a *app) error {
	ring, err := c.ring(a)
	if err != nil {
		return err
	}
	keys, err := ring.Keys()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, keys)
	}
	rows := [][]string{{a.text("KEY"), a.text("STATE"), a.text("SUITE"), a.text("SIGNS FROM"), a.text("PUBLISHED UNTIL"), a.text("ID")}}
	for _, k := range keys {
		rows = append(rows, []string{k.Name, a.text(k.State), k.Suite, when(k.From), when(k.Until), k.ID})
	}
	return columns(a.stdout, a.text("all keys of this node are in other programs"), rows)
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

type keysRotateCmd struct {
	keysDir
	Key  string        `arg:"" enum:"national,token,credential,trust" help:"Which: national, token, credential or trust."`
	Wait time.Duration `default:"15m" help:"How long the new key is published before it signs. Peers use a DID document that they have for ten minutes."`
	JSON bool          `help:"Print JSON."`
}

// Help says what goes on.
func (keysRotateCmd) Help() string {
	return `Examples:
  corridor keys rotate token --dir node
  corridor keys rotate national --wait 24h --dir node
A new key of the same suite is published in the DID document at once; a running node notices. It signs when the wait is over, and the private
half of the old key is gone then. The old public key stays in the document: that of tokens until none can be good any more, the others for good, so that what they signed
stays verifiable. If a key was stolen: --wait 0s, and then corridor keys drop. The key of the log is the log's identity and stays.`
}

// Run prepares the key.
func (c keysRotateCmd) Run(a *app) error {
	if c.Wait < 0 {
		return &corridor.Error{Kind: corridor.Invalid, Where: "--wait", Msg: "is before now"}
	}
	ring, err := c.ring(a)
	if err != nil {
		return err
	}
	k, err := ring.Rotate(c.Key, c.Wait)
	if err != nil {
		return err
	}
	c.tell(a)
	if c.JSON {
		return printJSON(a.stdout, k)
	}
	return a.print("%s is published; it signs from %s on\n", k.ID, when(k.From))
}

// tell lets a running node write the receipt of a change. One that does not run
// writes it at its start.
func (k keysDir) tell(a *app) {
	node, err := nodeFlags{Dir: k.Dir}.client()
	if err == nil {
		err = node.post(a.ctx, "/api/keys/look", struct{}{}, nil)
	}
	if err != nil {
		fmt.Fprint(a.stderr, a.text("the receipt of the change is written when the node starts: %s\n", a.explain(err)))
	}
}

type keysDropCmd struct {
	keysDir
	ID string `arg:"" help:"Identifier of the old key, as corridor keys shows it."`
}

// Help says what is lost.
func (keysDropCmd) Help() string {
	return `Example:
  corridor keys drop did:web:gateway.example.kz#national-0a1b2c3d --dir node
It leaves the DID document. What it signed can then be verified only by those who kept the document, as every bundle does.`
}

// Run lets go.
func (c keysDropCmd) Run(a *app) error {
	ring, err := c.ring(a)
	if err != nil {
		return err
	}
	if err := ring.Drop(c.ID); err != nil {
		return err
	}
	c.tell(a)
	return a.print("%s is no longer published\n", c.ID)
}
