package ledger

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"filippo.io/mldsa"

	"corridor"
	"corridor/verify"
)

const witnessKeyPrefix = "PRIVATE+KEY+"

// witnessKeyFile is one kind of key that a witness can have.
type witnessKeyFile struct {
	suite, file string
	alg         byte // of the private key's text: a signed-note signer, or a tlog-cosignature one
	make        func() (crypto.Signer, error)
	parse       func(seed []byte) (crypto.Signer, error)
}

func witnessKeyFiles() []witnessKeyFile {
	return []witnessKeyFile{
		{verify.Ed25519, "witness.key", 0x01,
			func() (crypto.Signer, error) {
				_, key, err := ed25519.GenerateKey(rand.Reader)
				return key, err
			},
			func(seed []byte) (crypto.Signer, error) {
				if len(seed) != ed25519.SeedSize {
					return nil, errors.New("an Ed25519 seed has 32 bytes")
				}
				return ed25519.NewKeyFromSeed(seed), nil
			}},
		{verify.MLDSA44, "witness-mldsa44.key", 0x06,
			func() (crypto.Signer, error) { return mldsa.GenerateKey(mldsa.MLDSA44()) },
			func(seed []byte) (crypto.Signer, error) { return mldsa.NewPrivateKey(mldsa.MLDSA44(), seed) }},
	}
}

// WitnessKeys reads the keys of a witness in its directory: witness.key
// (Ed25519) and witness-mldsa44.key (ML-DSA-44), those of the given suites. A
// key that is not there is made, with mode 0600, under the given name. No suite
// takes the keys that are there, and Ed25519 if there is none; an empty name
// takes the one in the files. Their form is that of signed-note private keys,
// which other witness programs read too.
func WitnessKeys(dir, name string, suites ...string) (string, []crypto.Signer, error) {
	var wanted []witnessKeyFile
	for _, f := range witnessKeyFiles() {
		path := filepath.Join(dir, f.file)
		_, err := os.Stat(path)
		there := err == nil
		if there { // also one that is not to be used says who the witness is
			if name, _, err = f.read(path, name); err != nil {
				return "", nil, err
			}
		}
		ask := len(suites) == 0 && there
		for _, s := range suites {
			ask = ask || s == f.suite
		}
		if ask {
			wanted = append(wanted, f)
		}
	}
	if len(wanted) == 0 {
		wanted = witnessKeyFiles()[:1]
	}
	var keys []crypto.Signer
	for _, f := range wanted {
		have, key, err := f.read(filepath.Join(dir, f.file), name)
		if err != nil {
			return "", nil, err
		}
		name, keys = have, append(keys, key)
	}
	return name, keys, nil
}

// read reads a key, or makes it.
func (f witnessKeyFile) read(path, name string) (string, crypto.Signer, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f.create(path, name)
	}
	if err != nil {
		return "", nil, corridor.E(corridor.Invalid, "witness key: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return "", nil, &corridor.Error{Kind: corridor.Invalid, Msg: "others may read the witness's key", Where: path, Fix: "chmod 600 " + path}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", nil, corridor.E(corridor.Invalid, "witness key: %w", err)
	}
	have, key, ok := f.parseText(strings.TrimSpace(string(raw)))
	if !ok {
		return "", nil, &corridor.Error{Kind: corridor.Invalid, Msg: "not a private key of a witness, of suite " + f.suite, Where: path, Fix: "restore the file from its backup: a new key is a new witness"}
	}
	if name != "" && name != have {
		return "", nil, &corridor.Error{Kind: corridor.Conflict, Msg: fmt.Sprintf("the witness here is %s, not %s", have, name), Where: path, Fix: "use its name, or another directory"}
	}
	return have, key, nil
}

func (f witnessKeyFile) create(path, name string) (string, crypto.Signer, error) {
	if name == "" {
		return "", nil, &corridor.Error{Kind: corridor.Invalid, Msg: "a new witness needs a name", Fix: "give it with --name, such as witness.example.kz; it stays for ever"}
	}
	key, err := f.make()
	if err != nil {
		return "", nil, corridor.E(corridor.Internal, "witness key: %w", err)
	}
	vkey, _ := witnessVKey(name, key)
	if _, err := verify.WitnessVerifier(vkey); err != nil {
		return "", nil, &corridor.Error{Kind: corridor.Invalid, Msg: fmt.Sprintf("%q cannot be the name of a witness", name), Fix: "use a host name, without spaces and plus signs", Err: err}
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", nil, corridor.E(corridor.Invalid, "witness key: %w", err)
	}
	_, err = out.WriteString(f.text(name, key) + "\n")
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return "", nil, corridor.E(corridor.Unavailable, "witness key: %w", err)
	}
	return name, key, nil
}

// text writes a private key. Its hash is the one of the vkey of the same type.
func (f witnessKeyFile) text(name string, key crypto.Signer) string {
	var vkey string
	var seed []byte
	switch k := key.(type) {
	case ed25519.PrivateKey:
		vkey, seed = verify.LogVKey(name, k.Public().(ed25519.PublicKey)), k.Seed()
	case *mldsa.PrivateKey:
		vkey, seed = verify.WitnessVKeyMLDSA(name, k.PublicKey()), k.Bytes()
	}
	_, hash, _ := strings.Cut(vkey, "+")
	hash, _, _ = strings.Cut(hash, "+")
	return witnessKeyPrefix + name + "+" + hash + "+" + base64.StdEncoding.EncodeToString(append([]byte{f.alg}, seed...))
}

func (f witnessKeyFile) parseText(text string) (string, crypto.Signer, bool) {
	rest, ok := strings.CutPrefix(text, witnessKeyPrefix)
	parts := strings.Split(rest, "+")
	if !ok || len(parts) < 3 {
		return "", nil, false
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(parts[2:], "+")) // base64 has plus signs of its own
	if err != nil || len(raw) == 0 || raw[0] != f.alg {
		return "", nil, false
	}
	key, err := f.parse(raw[1:])
	if err != nil {
		return "", nil, false
	}
	return parts[0], key, f.text(parts[0], key) == text
}
