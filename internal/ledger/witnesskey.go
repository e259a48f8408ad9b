package ledger

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"corridor"
	"corridor/verify"
)

const witnessKeyPrefix = "PRIVATE+KEY+"

// WitnessKey reads the key of a witness from a file, or makes it there with
// mode 0600 under the given name. The form is the one of signed-note private
// keys, which other witness programs read too. An empty name takes the one in
// the file.
func WitnessKey(path, name string) (string, ed25519.PrivateKey, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeWitnessKey(path, name)
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
	have, key, ok := parseWitnessKey(strings.TrimSpace(string(raw)))
	if !ok {
		return "", nil, &corridor.Error{Kind: corridor.Invalid, Msg: "not a private key of a witness", Where: path, Fix: "restore the file from its backup: a new key is a new witness"}
	}
	if name != "" && name != have {
		return "", nil, &corridor.Error{Kind: corridor.Conflict, Msg: fmt.Sprintf("the witness here is %s, not %s", have, name), Where: path, Fix: "use its name, or another directory"}
	}
	return have, key, nil
}

func makeWitnessKey(path, name string) (string, ed25519.PrivateKey, error) {
	if name == "" {
		return "", nil, &corridor.Error{Kind: corridor.Invalid, Msg: "a new witness needs a name", Fix: "give it with --name, such as witness.example.kz; it stays for ever"}
	}
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", nil, corridor.E(corridor.Internal, "witness key: %w", err)
	}
	vkey := verify.LogVKey(name, public)
	if _, err := verify.LogVerifier(vkey); err != nil {
		return "", nil, &corridor.Error{Kind: corridor.Invalid, Msg: fmt.Sprintf("%q cannot be the name of a witness", name), Fix: "use a host name, without spaces and plus signs", Err: err}
	}
	text := witnessKeyText(name, key) + "\n"
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", nil, corridor.E(corridor.Invalid, "witness key: %w", err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", nil, corridor.E(corridor.Unavailable, "witness key: %w", err)
	}
	return name, key, nil
}

func witnessKeyText(name string, key ed25519.PrivateKey) string {
	_, hash, _ := strings.Cut(verify.LogVKey(name, key.Public().(ed25519.PublicKey)), "+")
	hash, _, _ = strings.Cut(hash, "+")
	return witnessKeyPrefix + name + "+" + hash + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, key.Seed()...))
}

func parseWitnessKey(text string) (string, ed25519.PrivateKey, bool) {
	rest, ok := strings.CutPrefix(text, witnessKeyPrefix)
	parts := strings.Split(rest, "+")
	if !ok || len(parts) < 3 {
		return "", nil, false
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(parts[2:], "+")) // base64 has plus signs of its own
	if err != nil || len(raw) != 1+ed25519.SeedSize || raw[0] != 1 {
		return "", nil, false
	}
	key := ed25519.NewKeyFromSeed(raw[1:])
	return parts[0], key, witnessKeyText(parts[0], key) == text
}
