package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"corridor"
	"corridor/internal/editions"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/internal/store"
	"corridor/verify"
)

// config is config.yaml of a node directory. The help of each field is what
// `corridor init` writes above it and what docs/configuration.md says; a test
// holds the three together. Paths are relative to the node directory.
type config struct {
	DID           string   `yaml:"did" help:"Who this node is. A did:web identifier; peers fetch its document from the host that it names. Changing it makes another participant of the node: start a new directory instead."`
	Name          string   `yaml:"name" help:"The organisation's name, as peers see it."`
	Jurisdiction  string   `yaml:"jurisdiction" help:"The country whose law applies to this side: two letters (ISO 3166-1), for example CN, KZ or RU."`
	Type          string   `yaml:"type" help:"What the organisation is, as a recipient of data (fact recipient_type): private, group_affiliate, state_body, foreign_authority or intl_org. Empty: not stated, and the law may ask."`
	Traits        []string `yaml:"traits" help:"What the law wants to know about the organisation as an exporter (fact exporter_traits), for example [bank] or [ciio]. [] states that none applies; null states nothing, and the law may ask."`
	Flags         []string `yaml:"flags" help:"What the law wants to know about the organisation as a recipient (fact recipient_flags). [] states that none applies; null states nothing, and the law may ask."`
	Suite         string   `yaml:"suite" help:"The signature suite of decisions, agreements and receipts: Ed25519, P-256, SM2, GOST-2012-256, GOST-2012-512 or ML-DSA-44 (docs/keys.md). The key is made by init; the suite of an existing key does not change."`
	Signer        []string `yaml:"signer" help:"Program that holds the national key, with its arguments, for example [./sign-with-token, 07]; see docs/keys.md. A name with a slash is relative to the node directory. []: the key is national.pem in keys."`
	Verifies      []string `yaml:"verifies" help:"The suites of peers' signatures that this node verifies, for example [Ed25519, P-256], its own among them; the DID document says so. Of a peer that signs in another it wants validation receipts (docs/keys.md). []: all that it knows."`
	TrustSuite    string   `yaml:"trust_suite" help:"The suite in which this side's trust service states, to peers that do not verify suite, that its signatures are valid. Its key, trust.pem, is made at the next start and signs nothing else. Empty: there is no trust service, and such peers cannot be dealt with."`
	TrustSigner   []string `yaml:"trust_signer" help:"Program that holds the key of the trust service, in the place of trust.pem; like signer."`
	TrustDID      string   `yaml:"trust_did" help:"A DID of its own under which the trust service states, such as did:web:gateway.example.kz:trust, whose document the node serves, or one at another host, which publishes what the node serves at /corridor/trust/did.json. Empty: it is a key of this side."`
	TrustName     string   `yaml:"trust_name" help:"Who runs the trust service, as a validation receipt shows it to people."`
	Listen        string   `yaml:"listen" help:"Address and port that the node listens on. Keep it on loopback unless a reverse proxy or tls_cert protects it."`
	URL           string   `yaml:"url" help:"How peers reach this node, without a path. Empty: derived from the DID (https, or http where the DID names a loopback address)."`
	TLSCert       string   `yaml:"tls_cert" help:"Certificate chain (PEM) to serve https with. Empty: plain http, for loopback or behind a reverse proxy."`
	TLSKey        string   `yaml:"tls_key" help:"Private key (PEM) of tls_cert."`
	Database      string   `yaml:"database" help:"Where all state of the node is, its log included: an SQLite file on a local disk, or the address of a PostgreSQL database (postgres://...), which several nodes of one participant may share. corridor serve --db goes before it."`
	Keys          string   `yaml:"keys" help:"Directory of the private keys, mode 0700, files 0600."`
	Token         string   `yaml:"token" help:"File that holds the bearer token of the management API, mode 0600. Empty: the management API is off."`
	Peers         string   `yaml:"peers" help:"File with the participants that this node knows; anybody else is refused. Edited by corridor peers add; read again when it changes."`
	Credentials   string   `yaml:"credentials" help:"File with the credentials that peers must present and that this node issues (DCP 1.0; see docs/identity.md). Without it nothing is demanded and nothing issued; read again when it changes."`
	Packs         string   `yaml:"packs" help:"Directory of the rule packs that corridor packs install put here. Without any, the node decides with those of the program."`
	Publishers    string   `yaml:"publishers" help:"File with those who may publish rule packs, and for which jurisdictions. Without it, none can be installed."`
	Inbox         string   `yaml:"inbox" help:"Directory for files received from peers: INBOX/AGREEMENT/NAME."`
	WitnessPolicy string   `yaml:"witness_policy" help:"File with the witnesses that cosign this node's log, in the format of C2SP tlog-policy. Empty: no witness is asked."`
	NeedCompact   bool     `yaml:"require_compact" help:"Whether a compact between authorities must open every corridor. false: where no compact governs, the law alone decides."`
	SignedOnly    string   `yaml:"signed_approvals" help:"Where an approval by an authority that the law names must be the document that it has signed (corridor approvals request), and an operator's word for it (corridor approve) is refused. where_possible: wherever a compact of this node names an authority of that country. always: without a compact too; nothing then lifts such a rule. never: the word suffices, and the bundle notes that it stands alone."`
	Assume        string   `yaml:"assume" help:"Assumption profile for facts that nobody gave (see corridor packs show). Empty: nothing is assumed, and a flow with an open question is refused with the question."`
	Manual        []string `yaml:"manual" help:"Steps that wait for a person although the law would let them go: any of agree, verify, finalize, start, fetch. The same can be said of one peer (peers.yaml) or of one dataset."`
	PeerLimit     string   `yaml:"peer_limit" help:"How long a peer may be silent where the next word is its own, for example 2160h (90 days). Then the node ends the negotiation or transfer, tells the peer and writes a receipt. Longer than an authority takes to approve. What waits already keeps its date."`
	PersonLimit   string   `yaml:"person_limit" help:"How long the node waits for a person of its own who has something to decide, and how long a transfer may be suspended, for example 4320h (180 days), before it ends in the same way. What waits already keeps its date."`
	Crawl         string   `yaml:"crawl" help:"How often the catalogues of the known peers are read for corridor find, for example 6h; a peer that fails or asks for it is left alone for longer. off: never."`
	ConfirmWithin string   `yaml:"confirm_within" help:"How long a consumer may take to confirm the arrival of data that was released to it, for example 24h. After that the log says that it has not, once for each release; a confirmation that comes later is still taken."`
	LookEvery     string   `yaml:"look_every" help:"How often the provider of data that goes on is asked for the next increment if it says nothing, for example 1m. What is added it says at once; corridor resume asks at once too."`
	AllowPrivate  bool     `yaml:"allow_private" help:"Whether peers may be at loopback or private addresses. Leave it false on a node that peers reach from outside."`
	LogLevel      string   `yaml:"log_level" help:"What is logged to standard error, as JSON: debug, info, warn or error."`

	dir  string         // the node directory
	line map[string]int // where each key stands in the file

	clockIsRight bool // what a person has said at this start
}

// defaults gives every field its meaning where the file is silent.
func defaults() config {
	return config{Signer: []string{}, Verifies: []string{}, TrustSigner: []string{}, Listen: "127.0.0.1:8181", Database: "node.db", Keys: "keys", Token: "admin.token",
		Peers: "peers.yaml", Credentials: "credentials.yaml", Packs: "packs", Publishers: "publishers.yaml", Inbox: "inbox", PeerLimit: "2160h", PersonLimit: "4320h", Crawl: "6h", ConfirmWithin: "24h", LookEvery: "1m", SignedOnly: exchange.SignedWherePossible, LogLevel: "info"}
}

const configFile = "config.yaml"

// maxConfig bounds the files that an operator writes.
const maxConfig = 1 << 20

// loadConfig reads and checks the configuration of a node directory.
func loadConfig(dir string) (config, error) {
	path := filepath.Join(dir, configFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return config{}, &corridor.Error{Kind: corridor.Invalid, Msg: "there is no node here: " + configFile + " is missing", Where: dir,
			Fix: "make one with: corridor init --dir " + dir + " --did did:web:... --jurisdiction CN"}
	}
	if err != nil {
		return config{}, corridor.E(corridor.Invalid, "the configuration cannot be read: %w", err)
	}
	c, err := parseConfig(dir, path, raw)
	if err != nil {
		return c, err
	}
	return c, c.private(path)
}

// private refuses a configuration that holds a password and that others may
// read.
func (c *config) private(path string) error {
	if !store.HoldsPassword(c.Database) || runtime.GOOS == "windows" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return corridor.E(corridor.Invalid, "the configuration cannot be read: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: fmt.Sprintf("mode %04o: others may read the password of the database", info.Mode().Perm()),
			Fix: "run: chmod 600 " + path + "; and change the password if somebody else may have read it"}
	}
	return nil
}

// parseConfig decodes strictly: every problem names file and line.
func parseConfig(dir, path string, raw []byte) (config, error) {
	c := defaults()
	c.dir, c.line = dir, map[string]int{}
	if len(raw) > maxConfig {
		return c, corridor.E(corridor.Invalid, "%s: %d bytes, at most %d are allowed", path, len(raw), maxConfig)
	}
	var doc yaml.Node
	if err := yaml.Load(raw, &doc); err != nil {
		return c, &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: "not YAML: " + err.Error(), Fix: "write one `key: value` to a line"}
	}
	root := &doc
	if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
		root = root.Content[0]
	}
	if root.Kind != yaml.MappingNode {
		return c, &corridor.Error{Kind: corridor.Invalid, Where: path + ":1", Msg: "not a mapping", Fix: "write one `key: value` to a line"}
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if err := c.set(path, root.Content[i], root.Content[i+1]); err != nil {
			return c, err
		}
	}
	return c, c.check(path)
}

// set decodes one key into its field.
func (c *config) set(path string, key, value *yaml.Node) error {
	at := fmt.Sprintf("%s:%d", path, key.Line)
	if first, twice := c.line[key.Value]; twice {
		return &corridor.Error{Kind: corridor.Invalid, Where: at, Msg: fmt.Sprintf("%s is already given on line %d", key.Value, first), Fix: "remove one of them"}
	}
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Tag.Get("yaml") != key.Value || key.Value == "" {
			continue
		}
		if err := value.Load(v.Field(i).Addr().Interface()); err != nil {
			return &corridor.Error{Kind: corridor.Invalid, Where: at, Msg: fmt.Sprintf("%s wants %s", key.Value, shape(f.Type)), Why: f.Tag.Get("help")}
		}
		c.line[key.Value] = key.Line
		return nil
	}
	return &corridor.Error{Kind: corridor.Invalid, Where: at, Msg: fmt.Sprintf("%q is not a setting", key.Value),
		Fix: "did you mean " + nearest(key.Value, configKeys()) + "? See docs/configuration.md"}
}

// shape says what a field's value looks like.
func shape(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list such as [a, b]"
	}
	return "one text value"
}

// configKeys lists the keys in the order of the struct.
func configKeys() []string {
	var keys []string
	t := reflect.TypeFor[config]()
	for i := range t.NumField() {
		if k := t.Field(i).Tag.Get("yaml"); k != "" {
			keys = append(keys, k)
		}
	}
	return keys
}

// check says what is wrong with a value, and where.
func (c *config) check(path string) error {
	bad := func(key, msg, fix string) error {
		where := path
		if n := c.line[key]; n > 0 {
			where = fmt.Sprintf("%s:%d", path, n)
		}
		return &corridor.Error{Kind: corridor.Invalid, Where: where, Msg: key + ": " + msg, Fix: fix}
	}
	switch host, port, err := net.SplitHostPort(c.Listen); {
	case !strings.HasPrefix(c.DID, "did:web:"):
		return bad("did", fmt.Sprintf("%q is not a did:web identifier", c.DID), "write it like did:web:gateway.example.org")
	case len(c.Jurisdiction) != 2 || strings.ToUpper(c.Jurisdiction) != c.Jurisdiction:
		return bad("jurisdiction", fmt.Sprintf("%q is not a country", c.Jurisdiction), "write the two capital letters of ISO 3166-1, for example KZ")
	case !slices.Contains(verify.Suites(), c.Suite):
		return bad("suite", fmt.Sprintf("%q is not known", c.Suite), "use one of "+strings.Join(verify.Suites(), ", "))
	case len(c.Signer) > 0 && c.Signer[0] == "":
		return bad("signer", "the program has no name", "write it like [./sign-with-token, 07], or [] for a key in a file")
	case len(c.Verifies) > 0 && !slices.Contains(c.Verifies, c.Suite):
		return bad("verifies", "lacks "+c.Suite+", in which this node signs", "add it: a node verifies what it signs")
	case c.TrustSuite != "" && !slices.Contains(verify.Suites(), c.TrustSuite):
		return bad("trust_suite", fmt.Sprintf("%q is not known", c.TrustSuite), "use one of "+strings.Join(verify.Suites(), ", "))
	case c.TrustSuite == c.Suite:
		return bad("trust_suite", "is the suite of the node's own signatures: who does not verify one does not verify the other", "name a suite that the peers verify, such as P-256")
	case c.TrustSuite == "" && (len(c.TrustSigner) > 0 || c.TrustName != ""):
		return bad("trust_signer", "there is no trust service to sign for", "set trust_suite to the suite of its key")
	case c.TrustDID != "" && c.TrustSuite == "":
		return bad("trust_did", "there is no trust service that it could be of", "set trust_suite to the suite of its key")
	case c.TrustDID != "" && (c.TrustDID == c.DID || !isWebDID(c.TrustDID)):
		return bad("trust_did", fmt.Sprintf("%q is not a did:web identifier of its own", c.TrustDID), "write it like did:web:gateway.example.org:trust, or leave it empty")
	case len(c.TrustSigner) > 0 && c.TrustSigner[0] == "":
		return bad("trust_signer", "the program has no name", "write it like [./sign-with-token, 07], or [] for a key in a file")
	case err != nil || port == "":
		return bad("listen", fmt.Sprintf("%q is not an address and a port", c.Listen), "write it like 127.0.0.1:8181")
	case !loopback(host) && c.TLSCert == "" && c.URL == "":
		return bad("listen", c.Listen+" is open to the network without https", "set tls_cert and tls_key, or put a reverse proxy before the node, listen on loopback and set url to the proxy's address")
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return bad("tls_cert", "tls_cert and tls_key belong together", "give both or none")
	case c.URL != "" && !strings.HasPrefix(c.URL, "https://") && !strings.HasPrefix(c.URL, "http://"):
		return bad("url", fmt.Sprintf("%q is not a web address", c.URL), "write it like https://gateway.example.org")
	case store.CheckPlace(c.Database) != nil:
		return bad("database", plainly(store.CheckPlace(c.Database)), fixOf(store.CheckPlace(c.Database)))
	case c.Database == "" || c.Keys == "" || c.Inbox == "" || c.Peers == "" || c.Packs == "" || c.Publishers == "":
		return bad("database", "database, keys, inbox, peers, packs and publishers each need a place", "remove the line to use the default")
	case !slices.Contains(logLevels, c.LogLevel):
		return bad("log_level", fmt.Sprintf("%q is not a level", c.LogLevel), "use one of "+strings.Join(logLevels, ", "))
	}
	for _, suite := range c.Verifies {
		if !slices.Contains(verify.Suites(), suite) {
			return bad("verifies", fmt.Sprintf("%q is not known", suite), "use any of "+strings.Join(verify.Suites(), ", "))
		}
	}
	for _, l := range []struct{ key, value string }{{"peer_limit", c.PeerLimit}, {"person_limit", c.PersonLimit}} {
		if _, err := limit(l.value); err != nil {
			return bad(l.key, err.Error(), "write a duration of at least 1h, such as 2160h")
		}
	}
	if exchange.CheckSignedApprovals("", c.SignedOnly) != nil {
		return bad("signed_approvals", fmt.Sprintf("%q is not known", c.SignedOnly), "use where_possible, always or never")
	}
	if _, err := c.crawlEvery(); err != nil {
		return bad("crawl", err.Error(), "write a duration such as 6h, at least 1m, or off")
	}
	if _, err := c.confirmWithin(); err != nil {
		return bad("confirm_within", err.Error(), "write a duration such as 24h, from 1m to 8760h")
	}
	if _, err := c.lookEvery(); err != nil {
		return bad("look_every", err.Error(), "write a duration such as 1m, from 1s to 24h")
	}
	for _, m := range c.Manual {
		if !slices.Contains(manualSteps, m) {
			return bad("manual", fmt.Sprintf("%q is not a step", m), "use any of "+strings.Join(manualSteps, ", "))
		}
	}
	return nil
}

var (
	logLevels   = []string{"debug", "info", "warn", "error"}
	manualSteps = []string{"agree", "verify", "finalize", "start", "fetch"}
)

// limit is how long is waited.
func limit(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Hour {
		return 0, corridor.E(corridor.Invalid, "%q is not how long is waited", s)
	}
	return d, nil
}

// crawlEvery is how often catalogues are read; zero: never.
func (c *config) crawlEvery() (time.Duration, error) {
	if c.Crawl == "off" {
		return 0, nil
	}
	d, err := time.ParseDuration(c.Crawl)
	if err != nil || d < time.Minute {
		return 0, corridor.E(corridor.Invalid, "%q is not how often", c.Crawl)
	}
	return d, nil
}

// confirmWithin is how long an arrival may stay unconfirmed.
func (c *config) confirmWithin() (time.Duration, error) {
	d, err := time.ParseDuration(c.ConfirmWithin)
	if err != nil || d < time.Minute || d > 365*24*time.Hour {
		return 0, corridor.E(corridor.Invalid, "%q is not how long", c.ConfirmWithin)
	}
	return d, nil
}

// lookEvery is how often the provider of data that goes on is asked for more.
func (c *config) lookEvery() (time.Duration, error) {
	d, err := time.ParseDuration(c.LookEvery)
	if err != nil || d < time.Second || d > 24*time.Hour {
		return 0, corridor.E(corridor.Invalid, "%q is not how often", c.LookEvery)
	}
	return d, nil
}

// loopback says whether only this machine can reach a host.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// with puts another database in the place of the configured one.
func (c config) with(database string) (config, error) {
	if database == "" {
		return c, nil
	}
	c.Database = database
	if err := store.CheckPlace(database); err != nil || store.IsServer(database) {
		return c, err
	}
	path, err := filepath.Abs(database) // a path on the command line is relative to where one stands
	if err != nil {
		return c, corridor.E(corridor.Invalid, "--db: %w", err)
	}
	c.Database = path
	return c, nil
}

// place is where the database is: the path of a file, or an address.
func (c *config) place() string {
	if store.IsServer(c.Database) {
		return c.Database
	}
	return c.path(c.Database)
}

// plainly is what an error says is wrong, without where and how to mend it.
func plainly(err error) string {
	var e *corridor.Error
	if errors.As(err, &e) {
		return e.Msg
	}
	return err.Error()
}

func fixOf(err error) string {
	var e *corridor.Error
	if errors.As(err, &e) {
		return e.Fix
	}
	return ""
}

// path makes a configured path absolute to the node directory.
func (c *config) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.dir, p)
}

// write renders the configuration with the help of each field above it.
func (c *config) write() []byte {
	var b strings.Builder
	b.WriteString("# Configuration of a Corridor node. Every setting is shown; see docs/configuration.md.\n")
	v := reflect.ValueOf(*c)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key := f.Tag.Get("yaml")
		if key == "" {
			continue
		}
		b.WriteByte('\n')
		for _, l := range wrap(f.Tag.Get("help"), 98) {
			b.WriteString("# " + l + "\n")
		}
		b.WriteString(key + ": " + flow(v.Field(i)) + "\n")
	}
	return []byte(b.String())
}

// flow writes a field's value on one line of YAML.
func flow(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		return fmt.Sprint(v.Bool())
	case reflect.Slice:
		if v.IsNil() {
			return "null"
		}
		items := slices.Clone(v.Interface().([]string))
		for i, item := range items {
			if strings.ContainsFunc(item, func(r rune) bool { return !(r == '_' || r >= 'a' && r <= 'z') }) || item == "" {
				items[i] = fmt.Sprintf("%q", item) // a word of its own could be read as something else
			}
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return fmt.Sprintf("%q", v.String())
}

// nearest picks the candidate with the fewest edits.
func nearest(word string, candidates []string) string {
	best, cost := "", 1<<30
	for _, c := range candidates {
		if d := edits(word, c); d < cost {
			best, cost = c, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// packStore is where the node keeps the editions of rule packs that its
// operator installed.
func (c *config) packStore() editions.Store {
	return editions.Store{Dir: c.path(c.Packs), Publishers: c.path(c.Publishers), Cache: editions.UserImages()}
}

func isWebDID(did string) bool {
	_, err := identity.WebURL(did)
	return err == nil
}
