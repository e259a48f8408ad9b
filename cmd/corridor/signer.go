package main

import (
	"corridor/internal/identity"
)

// signerCmd holds programs that a node's signer setting can name.
type signerCmd struct {
	PKCS11 pkcs11Cmd `cmd:"" name:"pkcs11" help:"Answer one request with a key of a PKCS#11 module, through OpenSC's pkcs11-tool."`
}

// pkcs11Cmd is an external signer over pkcs11-tool.
type pkcs11Cmd struct {
	Module  string `required:"" type:"path" help:"The module: a shared library."`
	Token   string `required:"" help:"Label of the token."`
	ID      string `required:"" name:"id" help:"CKA_ID of the key pair, in hex."`
	PINFile string `required:"" name:"pin-file" type:"path" help:"File with the user PIN, mode 0600." placeholder:"FILE"`
	Suite   string `default:"P-256" enum:"P-256,Ed25519" help:"Suite of the key: P-256 or Ed25519."`
	Tool    string `default:"pkcs11-tool" help:"The program of OpenSC."`
}

// Help gives an example.
func (pkcs11Cmd) Help() string {
	return `It reads one line of JSON and writes one, as docs/keys.md says. A node names it in config.yaml:
  suite: P-256
  signer: [corridor, signer, pkcs11, --module, /usr/lib/softhsm/libsofthsm2.so, --token, node, --id, "01", --pin-file, /etc/corridor/pin]
Example, to try it by hand:
  echo '{"v":1,"do":"public","suite":"P-256"}' | corridor signer pkcs11 --module /usr/lib/softhsm/libsofthsm2.so --token node --id 01 --pin-file pin
The module runs in a process of its own. Suites that pkcs11-tool does not sign in need the program of the module's maker.`
}

// Run answers the request on standard input.
func (c pkcs11Cmd) Run(a *app) error {
	s, err := identity.NewPKCS11Signer(a.ctx, identity.PKCS11{Tool: c.Tool, Module: c.Module, Token: c.Token, ID: c.ID, PINFile: c.PINFile, Suite: c.Suite})
	if err != nil {
		return err
	}
	return identity.AnswerSigner(a.ctx, a.stdin, a.stdout, s)
}
