package main

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"corridor"
)

const goodConfig = "did: did:web:gateway.example.org\njurisdiction: KZ\nsuite: Ed25519\n"

func TestConfigurationSurvivesBeingWrittenAndRead(t *testing.T) {
	want := defaults()
	want.DID, want.Name, want.Jurisdiction, want.Suite = "did:web:a.example", `Name with "quotes": and 中文`, "CN", "SM2"
	want.Manual, want.AllowPrivate = []string{"agree", "start"}, true
	want.Traits, want.Flags = []string{}, nil
	want.dir = "node"
	got, err := parseConfig("node", "node/config.yaml", want.write())
	if err != nil {
		t.Fatal(err)
	}
	got.line = nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read back %+v, want %+v", got, want)
	}
}

func TestWrongConfigurationIsRefusedWithFileLineAndFix(t *testing.T) {
	for name, c := range map[string]struct{ text, where, msg string }{
		"unknown key names the nearest":       {goodConfig + "databse: x.db\n", "c.yaml:4", `did you mean database?`},
		"repeated key":                        {goodConfig + "did: did:web:other\n", "c.yaml:4", "already given on line 1"},
		"text where a list belongs":           {goodConfig + "manual: {a: 1}\n", "c.yaml:4", "manual wants a list"},
		"text where yes or no belongs":        {goodConfig + "allow_private: perhaps\n", "c.yaml:4", "true or false"},
		"country in small letters":            {strings.Replace(goodConfig, "KZ", "kz", 1), "c.yaml:2", "not a country"},
		"suite that does not exist":           {strings.Replace(goodConfig, "Ed25519", "RSA", 1), "c.yaml:3", "Ed25519, P-256, SM2"},
		"own suite not verified":              {goodConfig + "verifies: [P-256]\n", "c.yaml:4", "a node verifies what it signs"},
		"verifies a suite that is none":       {goodConfig + "verifies: [Ed25519, RSA]\n", "c.yaml:4", "P-256"},
		"trust service in its own suite":      {goodConfig + "trust_suite: Ed25519\n", "c.yaml:4", "does not verify one"},
		"trust service in a suite of nobody":  {goodConfig + "trust_suite: RSA\n", "c.yaml:4", "Ed25519, P-256"},
		"a program for no trust service":      {goodConfig + "trust_signer: [./sign]\n", "c.yaml:4", "set trust_suite"},
		"no did":                              {"jurisdiction: KZ\n", "c.yaml", "did:web:gateway.example.org"},
		"address without port":                {goodConfig + "listen: localhost\n", "c.yaml:4", "127.0.0.1:8181"},
		"open to the network without https":   {goodConfig + "listen: 0.0.0.0:8181\n", "c.yaml:4", "reverse proxy"},
		"certificate without key":             {goodConfig + "tls_cert: a.pem\n", "c.yaml:4", "belong together"},
		"step that cannot wait":               {goodConfig + "manual: [approve]\n", "c.yaml:4", "agree, verify, finalize, start, fetch"},
		"questions too often":                 {goodConfig + "look_every: 10ms\n", "c.yaml:4", "1m"},
		"limit that is none":                  {goodConfig + "peer_limit: forever\n", "c.yaml:4", "2160h"},
		"limit of no length":                  {goodConfig + "person_limit: 5m\n", "c.yaml:4", "at least 1h"},
		"level that does not exist":           {goodConfig + "log_level: loud\n", "c.yaml:4", "debug, info, warn, error"},
		"not a mapping":                       {"- did\n", "c.yaml:1", "key: value"},
		"not YAML":                            {"did: [\n", "c.yaml", "not YAML"},
		"web address without a scheme":        {goodConfig + "url: gateway.example.org\n", "c.yaml:4", "https://gateway.example.org"},
		"empty place for the database":        {goodConfig + "database: ''\n", "c.yaml:4", "remove the line"},
		"alias that repeats another value":    {goodConfig + "name: &a x\nurl: *b\n", "c.yaml", ""},
		"file far too big to be written here": {strings.Repeat("#", maxConfig+1), "c.yaml", "at most"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseConfig("d", "c.yaml", []byte(c.text))
			if err == nil {
				t.Fatal("accepted")
			}
			if got := err.Error(); !strings.HasPrefix(got, c.where) || !strings.Contains(got, c.msg) {
				t.Errorf("got %q, want it to begin with %q and to say %q", got, c.where, c.msg)
			}
			if corridor.KindOf(err) != corridor.Invalid {
				t.Errorf("kind %v, want invalid", corridor.KindOf(err))
			}
		})
	}
}

func TestEverySettingIsDescribed(t *testing.T) {
	doc, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	typ := reflect.TypeFor[config]()
	for i := range typ.NumField() {
		f := typ.Field(i)
		key, help := f.Tag.Get("yaml"), f.Tag.Get("help")
		if key == "" {
			continue
		}
		if help == "" {
			t.Errorf("%s has no help", key)
		}
		if !strings.Contains(string(doc), "| `"+key+"` | ") || !strings.Contains(string(doc), help) {
			t.Errorf("docs/configuration.md does not describe %s as the struct does:\n| `%s` | %s |", key, key, help)
		}
	}
}

func FuzzConfiguration(f *testing.F) {
	f.Add([]byte(goodConfig))
	f.Add([]byte(goodConfig + "manual: [agree]\nallow_private: true\n"))
	f.Add([]byte("did: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := parseConfig("d", "c.yaml", raw)
		if err != nil {
			return
		}
		if _, err := parseConfig("d", "c.yaml", c.write()); err != nil {
			t.Errorf("an accepted configuration is refused when written out: %v", err)
		}
	})
}
