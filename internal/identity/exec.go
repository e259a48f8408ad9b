package identity

import (
	"bufio"
	"bytes"
	"context"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"time"

	"corridor"
	"corridor/verify"
)

// The protocol of an external signer: the program is started for each request,
// reads one line of JSON from its standard input and writes one line to its
// standard output. docs/keys.md describes it for those who write one.
const (
	signerVersion = 1
	signerLimit   = 15 * time.Second // for one request
	maxSignerLine = 2 << 20          // of a request: an agreement in base64url
	maxSignerText = 64 << 10         // of an answer
	maxSigners    = 4                // programs of one signer at a time
)

// signerRequest is what the program reads. Do is "public", "sign" or, for the
// key of a trust service, "validate".
type signerRequest struct {
	Version int         `json:"v"`
	Do      string      `json:"do"`
	Suite   string      `json:"suite"`
	Message string      `json:"message,omitempty"` // base64url: all of what is signed, not its digest
	About   *vouchedFor `json:"about,omitempty"`   // of "validate"
}

// signerAnswer is what the program writes.
type signerAnswer struct {
	Version   int         `json:"v"`
	Suite     string      `json:"suite,omitempty"`     // of "public"
	Key       *verify.JWK `json:"jwk,omitempty"`       // of "public"
	Signature string      `json:"signature,omitempty"` // of "sign": base64url, in the suite's own form
	Error     string      `json:"error,omitempty"`     // why not
}

// execSigner is a Signer whose key another program holds.
type execSigner struct {
	argv []string
	dir  string
	key  verify.Key
	slot chan struct{}
}

// NewExecSigner makes a Signer of a program: argv[0] with its arguments,
// started in dir without a shell, with this process's environment but for
// what is named CORRIDOR_*. It asks for the public key and tries one
// signature, so that a module that does not work shows at the start. Every
// signature is checked before it is used.
func NewExecSigner(ctx context.Context, did, name, suite, dir string, argv []string) (Signer, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, corridor.E(corridor.Invalid, "an external signer needs a program")
	}
	s := &execSigner{argv: argv, dir: dir, slot: make(chan struct{}, maxSigners)}
	s.key.Suite = suite
	a, err := s.ask(ctx, signerRequest{Do: "public", Suite: suite})
	if err != nil {
		return nil, err
	}
	if a.Suite != suite || a.Key == nil {
		return nil, s.wrong(fmt.Sprintf("its key is of suite %q, not %q", clip(a.Suite), suite), "set suite to that of the key, or give the signer another key")
	}
	raw, err := json.Marshal(a.Key)
	if err != nil {
		return nil, corridor.E(corridor.Internal, "signer: %w", err)
	}
	if s.key, err = verify.ParseJWK(KeyID(did, name, *a.Key), raw); err != nil {
		return nil, fmt.Errorf("the signer %s: %w", argv[0], err)
	}
	if s.key.Suite != suite {
		return nil, s.wrong(fmt.Sprintf("it says that its key is of suite %s, and the key is one of %s", suite, s.key.Suite), "correct what the signer answers")
	}
	if _, err := s.Sign(ctx, []byte("corridor: is this signer well? "+rand.Text())); err != nil {
		return nil, fmt.Errorf("the signer was tried: %w", err)
	}
	return s, nil
}

func (s *execSigner) Suite() string      { return s.key.Suite }
func (s *execSigner) KeyID() string      { return s.key.ID }
func (s *execSigner) Public() verify.Key { return s.key }

// Sign implements Signer.
func (s *execSigner) Sign(ctx context.Context, msg []byte) ([]byte, error) {
	return s.signed(ctx, msg, signerRequest{Do: "sign"})
}

func (s *execSigner) signed(ctx context.Context, msg []byte, r signerRequest) ([]byte, error) {
	r.Suite, r.Message = s.key.Suite, base64.RawURLEncoding.EncodeToString(msg)
	a, err := s.ask(ctx, r)
	if err != nil {
		return nil, err
	}
	sig, err := base64.RawURLEncoding.Strict().DecodeString(a.Signature)
	if err != nil || len(sig) == 0 {
		return nil, s.wrong("its signature is not base64url", "correct what the signer answers")
	}
	if s.key.Suite == verify.P256 {
		sig = lower(sig)
	}
	if err := s.key.Verify(msg, sig); err != nil {
		return nil, s.wrong("its signature is not one of the message under its public key", "has its key been changed? A new key needs a restart of the node")
	}
	return sig, nil
}

// lower gives the P-256 signature its one spelling: modules give either.
func lower(sig []byte) []byte {
	if len(sig) != 64 {
		return sig
	}
	n := elliptic.P256().Params().N
	s := new(big.Int).SetBytes(sig[32:])
	if new(big.Int).Lsh(s, 1).Cmp(n) > 0 && s.Cmp(n) < 0 {
		s.Sub(n, s).FillBytes(sig[32:])
	}
	return sig
}

func (s *execSigner) wrong(msg, fix string) error {
	return &corridor.Error{Kind: corridor.Unavailable, Where: s.argv[0], Msg: "the external signer: " + msg, Fix: fix}
}

// ask starts the program for one request.
func (s *execSigner) ask(ctx context.Context, r signerRequest) (signerAnswer, error) {
	r.Version = signerVersion
	line, err := json.Marshal(r)
	if err != nil || len(line) > maxSignerLine {
		return signerAnswer{}, s.wrong("the request is too long for it", "")
	}
	ctx, cancel := context.WithTimeout(ctx, signerLimit)
	defer cancel()
	select {
	case s.slot <- struct{}{}:
		defer func() { <-s.slot }()
	case <-ctx.Done():
		return signerAnswer{}, s.wrong("it is busy: "+ctx.Err().Error(), "look whether the module answers")
	}
	out, stderr := &bounded{left: maxSignerText, end: cancel}, &bounded{left: maxSignerText, end: cancel}
	cmd := exec.CommandContext(ctx, s.argv[0], s.argv[1:]...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = s.dir, bytes.NewReader(append(line, '\n')), out, stderr, ownEnvironment()
	cmd.WaitDelay = time.Second // a child of the program that keeps its output open
	if err := cmd.Run(); err != nil {
		if out.left < 0 || stderr.left < 0 {
			return signerAnswer{}, s.wrong(fmt.Sprintf("it writes more than %d bytes", maxSignerText), "docs/keys.md shows what it must write")
		}
		if ctx.Err() != nil {
			return signerAnswer{}, s.wrong("it gave no answer in time", "look whether the module answers")
		}
		why := err.Error()
		if a, bad := readAnswer(out); bad == nil && a.Error != "" {
			why += ": " + a.Error
		} else if text := strings.TrimSpace(stderr.text.String()); text != "" {
			why += ": " + text
		}
		return signerAnswer{}, s.wrong(clip(why), "run the program by hand: docs/keys.md shows what it reads and writes")
	}
	a, err := readAnswer(out)
	switch {
	case err != nil:
		return a, s.wrong(err.Error(), "docs/keys.md shows what it must write")
	case a.Error != "":
		return a, s.wrong(clip(a.Error), "")
	}
	return a, nil
}

// ownEnvironment is the environment without what is a secret of this program:
// the address of the database, with its password.
func ownEnvironment() []string {
	var out []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "CORRIDOR_") {
			out = append(out, v)
		}
	}
	return out
}

// bounded keeps what is written up to a limit; beyond it, it fails and ends
// the program that writes.
type bounded struct {
	text bytes.Buffer // not embedded: its ReadFrom would go past Write
	left int
	end  func()
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		b.end()
		return 0, fmt.Errorf("more than %d bytes", maxSignerText)
	}
	return b.text.Write(p)
}

// readAnswer takes one line, strictly.
func readAnswer(out *bounded) (signerAnswer, error) {
	var a signerAnswer
	text := bytes.TrimSuffix(out.text.Bytes(), []byte("\n"))
	if out.left < 0 || len(text) == 0 || bytes.IndexByte(text, '\n') >= 0 {
		return a, errors.New("it did not write exactly one line")
	}
	if err := strictly(text, &a); err != nil {
		return a, fmt.Errorf("its answer cannot be read: %w", err)
	}
	if a.Version != signerVersion {
		return a, fmt.Errorf("it speaks version %d of the protocol, not %d", a.Version, signerVersion)
	}
	return a, nil
}

// strictly decodes JSON without repeated or unknown members.
func strictly(raw []byte, into any) error {
	canon, err := corridor.Canonicalize(raw)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(canon))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// AnswerSigner is the other half: it answers one request with a key that this
// process can use. A program that signs for a node needs no more.
func AnswerSigner(ctx context.Context, in io.Reader, out io.Writer, s Signer) error {
	line, err := bufio.NewReader(io.LimitReader(in, maxSignerLine+1)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return corridor.E(corridor.Invalid, "the request cannot be read: %w", err)
	}
	a, failed := answer(ctx, line, s)
	a.Version = signerVersion
	if failed != nil {
		a = signerAnswer{Version: signerVersion, Error: failed.Error()}
	}
	raw, err := json.Marshal(a)
	if err != nil {
		return corridor.E(corridor.Internal, "answer: %w", err)
	}
	if _, err := out.Write(append(raw, '\n')); err != nil {
		return corridor.E(corridor.Unavailable, "answer: %w", err)
	}
	return failed
}

func answer(ctx context.Context, line []byte, s Signer) (signerAnswer, error) {
	var r signerRequest
	if len(line) > maxSignerLine {
		return signerAnswer{}, corridor.E(corridor.Limited, "the request is longer than %d bytes", maxSignerLine)
	}
	if err := strictly(bytes.TrimSuffix(line, []byte("\n")), &r); err != nil {
		return signerAnswer{}, corridor.E(corridor.Invalid, "the request cannot be read: %w", err)
	}
	switch {
	case r.Version != signerVersion:
		return signerAnswer{}, corridor.E(corridor.Invalid, "version %d of the protocol is asked for, and this signer speaks %d", r.Version, signerVersion)
	case r.Suite != s.Suite():
		return signerAnswer{}, corridor.E(corridor.Invalid, "suite %q is asked for, and the key is of suite %s", clip(r.Suite), s.Suite())
	case r.Do == "public":
		key := s.Public().JWK
		return signerAnswer{Suite: s.Suite(), Key: &key}, nil
	case r.Do != "sign" && r.Do != "validate":
		return signerAnswer{}, corridor.E(corridor.Invalid, "%q is asked for; public, sign and validate are known", clip(r.Do))
	}
	msg, err := base64.RawURLEncoding.Strict().DecodeString(r.Message)
	if err != nil {
		return signerAnswer{}, corridor.E(corridor.Invalid, "the message is not base64url: %w", err)
	}
	if r.Do == "validate" {
		if err := r.About.valid(msg); err != nil {
			return signerAnswer{}, err
		}
	}
	sig, err := s.Sign(ctx, msg)
	return signerAnswer{Signature: base64.RawURLEncoding.EncodeToString(sig)}, err
}
