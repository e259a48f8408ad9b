package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"corridor/internal/law"
	"corridor/packs"
)

// selfSigned writes a certificate for 127.0.0.1 and gives the pool that trusts
// it.
func selfSigned(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.ParseIP("127.0.0.1")}, DNSNames: []string{"gateway.example.kz"}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return pool
}

func TestNodeWithACertificateServesHTTPSAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "node")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := defaults()
	cfg.DID, cfg.Jurisdiction, cfg.Suite, cfg.Listen = "did:web:gateway.example.kz", "KZ", "Ed25519", l.Addr().String()
	cfg.TLSCert, cfg.TLSKey = "cert.pem", "key.pem"
	if err := createNode(dir, cfg); err != nil {
		t.Fatal(err)
	}
	pool := selfSigned(t, dir)
	if cfg, err = loadConfig(dir); err != nil {
		t.Fatal(err)
	}
	rules, err := law.Load(packs.FS())
	if err != nil {
		t.Fatal(err)
	}
	n, err := openNode(t.Context(), cfg, rules, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.run(ctx, l) }()

	client := &http.Client{Timeout: scriptPatience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	resp, err := client.Get("https://" + l.Addr().String() + "/.well-known/did.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ ID string }
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil || doc.ID != cfg.DID {
		t.Errorf("document %+v, %v", doc, err)
	}
	resp.Body.Close()
	if resp, err := http.Get("http://" + l.Addr().String() + "/health"); err == nil {
		if resp.StatusCode == http.StatusOK {
			t.Error("plain http is answered")
		}
		resp.Body.Close()
	}
	var out, problems bytes.Buffer
	if code := run(t.Context(), []string{"status", "--dir", dir}, strings.NewReader(""), &out, &problems); code != exitOK || !strings.Contains(out.String(), cfg.DID) {
		t.Errorf("status: exit code %d, %s%s", code, out.String(), problems.String())
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("stopped with %v", err)
	}
	if err := n.close(); err != nil {
		t.Error(err)
	}
}
