package main

import (
	"bytes"
	"io"
	"testing"
)

func TestATerminalIsNotSteeredByWhatIsShown(t *testing.T) {
	for in, want := range map[string]string{
		"境外\t接收方\n":                   "境外\t接收方\n",
		"\x1b[2J\x1b]0;owned\x07":     "␛[2J␛]0;owned␇",
		"a\rb\x7f":                    "a␍b␡",
		"\u009b31m":                   "\ufffd31m",
		"invoice\u202egnp.exe":        "invoice\ufffdgnp.exe",
		"\u2066x\u2069":               "\ufffdx\ufffd",
		"نمونه\u200cها":               "نمونه\u200cها", // a joiner that Persian needs
		"\xff":                        "\ufffd",
		"Ж, é and 😀 stay as they are": "Ж, é and 😀 stay as they are",
	} {
		var b bytes.Buffer
		w := inert(&b)
		for _, c := range []byte(in) { // however it is cut
			if _, err := w.Write([]byte{c}); err != nil {
				t.Fatal(err)
			}
		}
		if b.String() != want {
			t.Errorf("%q is shown as %q, want %q", in, b.String(), want)
		}
	}
	if b := new(bytes.Buffer); onScreen(b) != io.Writer(b) {
		t.Error("what is no terminal is changed")
	}
}
