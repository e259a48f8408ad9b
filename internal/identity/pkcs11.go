package identity

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"corridor"
	"corridor/verify"
)

// PKCS11 is a key in a PKCS#11 module, used through the program pkcs11-tool of
// OpenSC: the module, which is foreign code, never enters this process.
type PKCS11 struct {
	Tool    string // pkcs11-tool, or its path
	Module  string // the module's shared library
	Token   string // label of the token
	ID      string // CKA_ID of the key pair, in hex
	PINFile string // file with the user PIN, mode 0600
	Suite   string // P-256 or Ed25519
}

// pinVariable is how pkcs11-tool gets the PIN: other users see the arguments
// of a process, and not its environment.
const pinVariable = "PKCS11_PIN"

type pkcs11Signer struct {
	cfg PKCS11
	pin string
	key verify.Key
}

// NewPKCS11Signer reads the public key of the pair. Only suites whose
// mechanism pkcs11-tool has are served; for others, GOST R 34.10-2012 among
// them, the maker of the module has a program that an external signer can
// call.
func NewPKCS11Signer(ctx context.Context, cfg PKCS11) (Signer, error) {
	if cfg.Suite != verify.P256 && cfg.Suite != verify.Ed25519 {
		return nil, &corridor.Error{Kind: corridor.Invalid, Msg: fmt.Sprintf("pkcs11-tool does not sign in suite %q", cfg.Suite),
			Fix: "use P-256 or Ed25519 with it; for other suites write a signer around the tool of the module's maker, see docs/keys.md"}
	}
	s := &pkcs11Signer{cfg: cfg}
	info, err := os.Stat(cfg.PINFile)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "the PIN: %w", err)
	}
	if err := checkMode(cfg.PINFile, info, 0o600); err != nil {
		return nil, err
	}
	pin, err := os.ReadFile(cfg.PINFile)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "the PIN: %w", err)
	}
	s.pin = strings.TrimRight(string(pin), "\r\n")
	der, err := s.run(ctx, nil, "--read-object", "--type", "pubkey")
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(der); block != nil { // pkcs11-tool writes Edwards keys so
		der = block.Bytes
	}
	public, err := smx509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "the public key %s of token %q cannot be read: %w", cfg.ID, cfg.Token, err)
	}
	if s.key, err = verify.NewKey("pkcs11:"+cfg.ID, public); err != nil {
		return nil, err
	}
	if s.key.Suite != cfg.Suite {
		return nil, &corridor.Error{Kind: corridor.Invalid, Msg: fmt.Sprintf("key %s is of suite %s, not %s", cfg.ID, s.key.Suite, cfg.Suite), Fix: "name its own suite, or another key"}
	}
	return s, nil
}

func (s *pkcs11Signer) Suite() string      { return s.key.Suite }
func (s *pkcs11Signer) KeyID() string      { return s.key.ID }
func (s *pkcs11Signer) Public() verify.Key { return s.key }

// Sign implements Signer.
func (s *pkcs11Signer) Sign(ctx context.Context, msg []byte) ([]byte, error) {
	if s.key.Suite == verify.Ed25519 {
		return s.run(ctx, msg, "--login", "--sign", "--mechanism", "EDDSA")
	}
	h := sha256.Sum256(msg)
	sig, err := s.run(ctx, h[:], "--login", "--sign", "--mechanism", "ECDSA", "--signature-format", "rs")
	return lower(sig), err
}

// run starts pkcs11-tool with files for what goes in and comes out, in a
// directory of its own.
func (s *pkcs11Signer) run(ctx context.Context, in []byte, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, signerLimit)
	defer cancel()
	dir, err := os.MkdirTemp("", "corridor-pkcs11-")
	if err != nil {
		return nil, corridor.E(corridor.Internal, "pkcs11-tool: %w", err)
	}
	defer os.RemoveAll(dir)
	input, output := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.WriteFile(input, in, 0o600); err != nil {
		return nil, corridor.E(corridor.Internal, "pkcs11-tool: %w", err)
	}
	args = slices.Concat([]string{"--module", s.cfg.Module, "--token-label", s.cfg.Token, "--pin", "env:" + pinVariable, "--id", s.cfg.ID, "--output-file", output}, args)
	if in != nil {
		args = append(args, "--input-file", input)
	}
	cmd := exec.CommandContext(ctx, s.cfg.Tool, args...)
	said := &bounded{left: maxSignerText, end: cancel}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = said, said, time.Second
	cmd.Env = append(ownEnvironment(), pinVariable+"="+s.pin)
	if err := cmd.Run(); err != nil {
		return nil, &corridor.Error{Kind: corridor.Unavailable, Where: s.cfg.Tool, Msg: clip(err.Error() + ": " + strings.Join(strings.Fields(said.text.String()), " ")),
			Fix: "try the same with pkcs11-tool --list-objects: are module, token, id and PIN right?"}
	}
	out, err := os.ReadFile(output)
	if err != nil || len(out) == 0 {
		return nil, &corridor.Error{Kind: corridor.Unavailable, Where: s.cfg.Tool, Msg: "it wrote nothing: " + clip(strings.Join(strings.Fields(said.text.String()), " ")), Fix: "is there a key with id " + s.cfg.ID + "?"}
	}
	return bytes.Clone(out), nil
}
