package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"corridor"
)

// nodeFlags say which running node a client command speaks to.
type nodeFlags struct {
	speech
	Dir   string `default:"." type:"path" help:"Node directory: address and token are read from it." env:"CORRIDOR_DIR"`
	URL   string `help:"Address of the node's management API, instead of the one in the directory." env:"CORRIDOR_URL" placeholder:"URL"`
	Token string `help:"File with the management token, instead of the one in the directory." env:"CORRIDOR_TOKEN_FILE" placeholder:"FILE"`
	JSON  bool   `help:"Print the node's JSON answer."`
}

// maxAnswer bounds what a client reads of an answer: a bundle may be large.
const maxAnswer = 64 << 20

// nodeClient calls the management API of one node.
type nodeClient struct {
	base, token string
	http        *http.Client
}

// client finds the node of the flags.
func (f nodeFlags) client() (*nodeClient, error) {
	c := &nodeClient{base: strings.TrimRight(f.URL, "/"), http: &http.Client{Timeout: 2 * time.Minute}}
	tokenFile := f.Token
	if c.base == "" || tokenFile == "" {
		cfg, err := loadConfig(f.Dir)
		if err != nil {
			return nil, err
		}
		if c.base == "" {
			c.base = cfg.localURL()
			if c.http.Transport, err = cfg.localTransport(); err != nil {
				return nil, err
			}
		}
		if tokenFile == "" {
			tokenFile = cfg.path(cfg.Token)
		}
	}
	token, err := readToken(tokenFile)
	if err != nil {
		return nil, err
	}
	c.token = token
	return c, nil
}

// readToken reads the bearer token of the management API, and refuses a file
// that others on the machine could have read or written.
func readToken(path string) (string, error) {
	if path == "" {
		return "", &corridor.Error{Kind: corridor.Invalid, Msg: "the management API of this node is off", Fix: "set token in config.yaml, or name a file with --token"}
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", corridor.E(corridor.Invalid, "the management token cannot be read: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: fmt.Sprintf("the management token has mode %04o: others may read it", info.Mode().Perm()), Fix: "run: chmod 600 " + path}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", corridor.E(corridor.Invalid, "the management token cannot be read: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	if len(token) < 32 || len(token) > 512 {
		return "", &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: "this is not a management token", Fix: "make a new one: rm " + path + " and start the node again"}
	}
	return token, nil
}

// localURL is where the node of this configuration answers on this machine.
func (c *config) localURL() string {
	scheme := "http://"
	if c.TLSCert != "" {
		scheme = "https://"
	}
	return scheme + c.Listen
}

// localTransport reaches the node of this configuration on this machine: the
// certificate that it serves is for its public name, and is trusted because
// it is read from the node's own directory.
func (c *config) localTransport() (http.RoundTripper, error) {
	t := &http.Transport{}
	if c.TLSCert == "" {
		return t, nil
	}
	chain, err := os.ReadFile(c.path(c.TLSCert))
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "the certificate of the node cannot be read: %w", err)
	}
	base, err := c.base()
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "the node's address: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(chain)
	t.TLSClientConfig = &tls.Config{RootCAs: pool, ServerName: u.Hostname()}
	return t, nil
}

// get asks and decodes the answer into out.
func (c *nodeClient) get(ctx context.Context, path string, query url.Values, out any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.call(ctx, http.MethodGet, path, nil, out)
}

// post sends body as JSON and decodes the answer into out.
func (c *nodeClient) post(ctx context.Context, path string, body, out any) error {
	return c.call(ctx, http.MethodPost, path, body, out)
}

// fileWait is how long a node may take over the files that it is told of: it
// computes their digests first.
const fileWait = time.Hour

// postFiles is post for what makes the node read whole files.
func (c *nodeClient) postFiles(ctx context.Context, path string, body, out any) error {
	patient := *c
	patient.http = &http.Client{Timeout: fileWait, Transport: c.http.Transport}
	return patient.post(ctx, path, body, out)
}

// call makes one request. out may be nil, a *[]byte for the raw answer, or
// anything that JSON decodes into.
func (c *nodeClient) call(ctx context.Context, method, path string, body, out any) error {
	var send io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("request: %w", err)
		}
		send = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, send)
	if err != nil {
		return corridor.E(corridor.Invalid, "the address of the node: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil && ctx.Err() != nil {
		return corridor.E(corridor.Unavailable, "stopped before the node at %s had answered; what it was asked for goes on there", c.base)
	}
	if late, ok := errors.AsType[*url.Error](err); ok && late.Timeout() {
		return corridor.E(corridor.Unavailable, "the node at %s has not answered within %s; what it was asked for goes on there", c.base, c.http.Timeout)
	}
	if err != nil {
		return &corridor.Error{Kind: corridor.Unavailable, Msg: "no node answers at " + c.base, Fix: "start it with: corridor serve --dir DIR", Err: quietly(err)}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return corridor.E(corridor.Unavailable, "the node's answer broke off: %w", err)
	}
	if len(raw) > maxAnswer {
		return corridor.E(corridor.Unavailable, "the node's answer is over %d bytes", maxAnswer)
	}
	if resp.StatusCode >= 300 {
		return problem(resp.StatusCode, raw)
	}
	return decodeAnswer(raw, out)
}

func decodeAnswer(raw []byte, out any) error {
	switch out := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*out = raw
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return corridor.E(corridor.Internal, "the node's answer is not what this version expects: %w", err)
	}
	return nil
}

// quietly drops the request line that net/http puts before its causes.
func quietly(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// problem turns a problem document (RFC 9457) back into the error that the
// node had.
func problem(status int, raw []byte) error {
	var p struct {
		Title, Detail, Where, Why, Fix, Kind string
		Cites                                []corridor.Citation
	}
	if err := json.Unmarshal(raw, &p); err != nil || p.Title+p.Detail == "" {
		return corridor.E(corridor.Internal, "the node answers with status %d", status)
	}
	msg := p.Detail
	if msg == "" {
		msg = p.Title
	}
	return &corridor.Error{Kind: kindByName(p.Kind), Msg: msg, Where: p.Where, Why: p.Why, Fix: p.Fix, Cites: p.Cites}
}

// kindByName is the inverse of corridor.Kind's String.
func kindByName(name string) corridor.Kind {
	for k := corridor.Internal; k <= corridor.Unavailable; k++ {
		if k.String() == name {
			return k
		}
	}
	return corridor.Internal
}

// writePrivate makes a file that only its owner may read, and never replaces
// one that is there.
func writePrivate(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return corridor.E(corridor.Conflict, "%s is already there", path)
	}
	if err != nil {
		return corridor.E(corridor.Invalid, "%w", err)
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// maxPages bounds a listing on the command line.
const maxPages = 1000

// allPages follows a list to its end.
func allPages[T any](ctx context.Context, c *nodeClient, path string, query url.Values) ([]T, error) {
	items := []T{}
	q := url.Values{"limit": {"100"}}
	for k, v := range query {
		if len(v) > 0 && v[0] != "" {
			q[k] = v
		}
	}
	for range maxPages {
		var p page[T]
		if err := c.get(ctx, path, q, &p); err != nil {
			return nil, err
		}
		items = append(items, p.Items...)
		if p.Next == "" {
			return items, nil
		}
		q.Set("after", p.Next)
	}
	return items, nil
}
