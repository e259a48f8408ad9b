package identity

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/mldsa"
	mldsax509 "filippo.io/mldsa/x509"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/mod/sumdb/note"

	"corridor"
	"corridor/internal/gost"
	"corridor/verify"
)

// Keys are a node's own keys. Any of them may be replaced by a Signer that
// keeps its key elsewhere.
type Keys struct {
	DID      string
	National Signer // signs decisions, agreements and receipts, in the suite that the side's law wants
	Token    Signer // P-256: signs the tokens that peers check
	Log      Signer // Ed25519: signs the checkpoints of the log
	// Credential signs the credentials that this node issues: P-256, which
	// every wallet reads. Nil: it issues none.
	Credential Signer
	// Trust is the key of the trust service of this side: it states that a
	// national signature is valid, to peers that do not verify its suite, and
	// signs nothing else. Nil: this side has none.
	Trust Signer
	// TrustDID is a DID of its own under which the trust service states. Empty: it
	// is a key of this side. Set it before OpenTrust.
	TrustDID string
	// Verifies lists the suites of national signatures that this node relies on.
	// Nil: all that it knows.
	Verifies []string

	ring *Ring // nil: no key changes while the node runs
}

// The files of a key directory.
const (
	nationalFile = "national.pem"
	tokenFile    = "token.pem"
	logFile      = "log.pem"
	credFile     = "credential.pem"
	trustFile    = "trust.pem"
)

const maxKeyFile = 16 << 10

// OpenKeys reads the keys of did in dir, and makes those that are not there
// yet: national.pem in the given suite, token.pem (P-256) and log.pem
// (Ed25519), PEM PKCS#8, mode 0600 in a directory of mode 0700. Looser modes
// are refused. A key that exists is never overwritten; one that is damaged or
// of another suite is refused by name.
func OpenKeys(dir, did, suite string) (*Keys, error) {
	k := &Keys{DID: did}
	if err := k.open(dir, append(k.plainFiles(), keyFile{file: nationalFile, name: nationalName, suite: suite, into: &k.National})...); err != nil {
		return nil, err
	}
	return k, nil
}

// OpenKeysWith is OpenKeys with the national key in another program: argv,
// started in the directory home (see NewExecSigner). There is no national.pem
// then.
func OpenKeysWith(ctx context.Context, dir, did, suite, home string, argv []string) (*Keys, error) {
	k := &Keys{DID: did}
	if err := k.open(dir, k.plainFiles()...); err != nil {
		return nil, err
	}
	var err error
	if k.National, err = NewExecSigner(ctx, did, nationalName, suite, home, argv); err != nil {
		return nil, err
	}
	return k, nil
}

const nationalName = "national"

// keyFile is a key of a node that is in a file.
type keyFile struct {
	file, name, suite string
	into              *Signer
	did               string // of its owner; empty: the node
}

// plainFiles are the keys whose suite is always the same.
func (k *Keys) plainFiles() []keyFile {
	return []keyFile{{file: tokenFile, name: "token", suite: verify.P256, into: &k.Token}, {file: logFile, name: "log", suite: verify.Ed25519, into: &k.Log}}
}

func (k *Keys) open(dir string, files ...keyFile) error {
	if _, err := WebURL(k.DID); err != nil {
		return err
	}
	if err := openDir(dir); err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(dir, f.file)
		private, err := readOrMake(path, f.suite)
		if err != nil {
			return err
		}
		s, err := NewSigner(cmp.Or(f.did, k.DID), f.name, private)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if s.Suite() != f.suite {
			return &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: fmt.Sprintf("the key is of suite %s, not %s", s.Suite(), f.suite),
				Fix: "set the suite to that of the key; to change suites, move the file away and a new key is made, which peers learn from the DID document"}
		}
		*f.into = s
	}
	return nil
}

// OpenCredential reads the key of the credentials that this node issues, and
// makes it on first use: credential.pem in dir (P-256).
func (k *Keys) OpenCredential(dir string) error {
	return k.open(dir, keyFile{file: credFile, name: "credential", suite: verify.P256, into: &k.Credential})
}

const trustName = "trust"

// OpenTrust reads the key of this side's trust service, and makes it on first
// use: trust.pem in dir, in the given suite.
func (k *Keys) OpenTrust(dir, suite string) error {
	return k.open(dir, keyFile{file: trustFile, name: trustName, suite: suite, into: &k.Trust, did: k.trustOwner()})
}

// OpenTrustWith is OpenTrust with the key in another program (see
// NewExecSigner). There is no trust.pem then.
func (k *Keys) OpenTrustWith(ctx context.Context, suite, home string, argv []string) (err error) {
	k.Trust, err = NewExecSigner(ctx, k.trustOwner(), trustName, suite, home, argv)
	return err
}

// trustOwner is the DID whose key states for this side.
func (k *Keys) trustOwner() string { return cmp.Or(k.TrustDID, k.DID) }

func openDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return corridor.E(corridor.Internal, "key directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return corridor.E(corridor.Internal, "key directory: %w", err)
	}
	return checkMode(dir, info, 0o700)
}

// checkMode refuses what others may read.
func checkMode(path string, info fs.FileInfo, want fs.FileMode) error {
	if !info.IsDir() && !info.Mode().IsRegular() {
		return &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: "is not a regular file"}
	}
	if mode := info.Mode().Perm(); mode&^want != 0 {
		return &corridor.Error{Kind: corridor.Forbidden, Where: path, Msg: fmt.Sprintf("private keys are open to others: mode %04o", mode),
			Fix: fmt.Sprintf("chmod %o %s", want, path)}
	}
	return nil
}

func readOrMake(path, suite string) (any, error) {
	private, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return private, err
	}
	private, err = generate(suite)
	if err != nil {
		return nil, err
	}
	switch err := writeKey(path, private); {
	case errors.Is(err, fs.ErrExist): // another process was faster: its key counts
		return readKey(path)
	case err != nil:
		return nil, err
	}
	return private, nil
}

func readKey(path string) (any, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, corridor.E(corridor.Internal, "key file: %w", err)
	}
	if err := checkMode(path, info, 0o600); err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, corridor.E(corridor.Internal, "key file: %w", err)
	}
	return parseKey(path, raw)
}

func parseKey(path string, raw []byte) (any, error) {
	if len(raw) > maxKeyFile {
		return nil, damaged(path, "it is too long")
	}
	block, rest := pem.Decode(raw)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, damaged(path, "no PEM block PRIVATE KEY")
	}
	if len(rest) > 0 {
		return nil, damaged(path, "something follows the PEM block")
	}
	if private, err := gost.ParsePrivate(block.Bytes); err == nil {
		return private, nil
	}
	private, err := mldsax509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil { // the curve of SM2 is not one of the standard library
		private, err = smx509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, damaged(path, "not PKCS #8")
	}
	switch private.(type) {
	case ed25519.PrivateKey, *ecdsa.PrivateKey, *sm2.PrivateKey, *mldsa.PrivateKey:
		return private, nil
	}
	return nil, damaged(path, fmt.Sprintf("a key of type %T", private))
}

// damaged names the file and never its contents.
func damaged(path, why string) error {
	return &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: "the key file is damaged: " + why,
		Fix: "restore it from a backup; if there is none, move it away and a new key is made, which peers learn from the DID document"}
}

// writeKey makes the file whole or not at all, and never replaces one: the
// text is written and synced under another name, then linked to its own.
func writeKey(path string, private any) error {
	der, err := marshalKey(private)
	if err != nil {
		return corridor.E(corridor.Internal, "key file %s: %w", path, err)
	}
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return corridor.E(corridor.Internal, "key file: %w", err)
	}
	defer os.Remove(tmp.Name())
	err = pem.Encode(tmp, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Link(tmp.Name(), path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("key file %s: %w", path, err)
	}
	return nil
}

// marshalKey writes PKCS #8, in the form that OpenSSL and its engine read.
func marshalKey(private any) ([]byte, error) {
	switch k := private.(type) {
	case *gost.PrivateKey:
		return k.MarshalPrivate()
	case *mldsa.PrivateKey:
		return mldsax509.MarshalPKCS8PrivateKey(k)
	}
	return smx509.MarshalPKCS8PrivateKey(private)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// LogSigner gives the signer of checkpoints under a log origin, in the form
// that golang.org/x/mod/sumdb/note takes.
func (k *Keys) LogSigner(origin string) (note.Signer, error) {
	v, err := noteVerifier(origin, k.Log.Public())
	if err != nil {
		return nil, err
	}
	return &noteSigner{Verifier: v, key: k.Log}, nil
}

// LogVKey gives the verifier key of the log, "origin+hash+key", that a
// witness or a peer puts into its policy.
func (k *Keys) LogVKey(origin string) (string, error) { return logVKey(origin, k.Log.Public()) }

func logVKey(origin string, key verify.Key) (string, error) {
	pub, err := key.Public()
	if err != nil {
		return "", err
	}
	ed, ok := pub.(ed25519.PublicKey)
	if !ok {
		return "", corridor.E(corridor.Invalid, "a log key must be Ed25519, not %s", key.Suite)
	}
	vkey, err := note.NewEd25519VerifierKey(origin, ed)
	if err != nil {
		return "", corridor.E(corridor.Invalid, "log origin %q: %w", origin, err)
	}
	return vkey, nil
}

func noteVerifier(origin string, key verify.Key) (note.Verifier, error) {
	vkey, err := logVKey(origin, key)
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, &corridor.Error{Kind: corridor.Invalid, Msg: fmt.Sprintf("%q cannot be a log origin", origin), Fix: "use host/path without spaces and plus signs", Err: err}
	}
	return v, nil
}

// noteSigner signs notes with a Signer. Name and KeyHash are the verifier's.
type noteSigner struct {
	note.Verifier
	key Signer
}

// Sign implements note.Signer, whose interface brings no context.
func (s *noteSigner) Sign(msg []byte) ([]byte, error) { return s.key.Sign(context.Background(), msg) }
