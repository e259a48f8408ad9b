package dcp

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	josejson "github.com/go-jose/go-jose/v4/json"

	"corridor"
	"corridor/internal/identity"
)

// Limits on status lists.
const (
	maxList    = 1 << 20 // bytes of a list as it comes
	maxBits    = 4 << 20 // bytes of a list unpacked: 32 million credentials
	listBits   = 131072  // of our own lists: the smallest that hides one holder among enough others
	listTTL    = 5 * time.Minute
	failureTTL = 10 * time.Second
	maxLists   = 1024 // kept
)

// kindsOfList are the names that belong to one kind of entry.
type kindsOfList struct{ credential, subject string }

func listTypes(entry string) kindsOfList {
	switch entry {
	case bitstringEntry:
		return kindsOfList{"BitstringStatusListCredential", "BitstringStatusList"}
	case list2021Entry:
		return kindsOfList{"StatusList2021Credential", "StatusList2021"}
	}
	return kindsOfList{}
}

// The kinds of status entry of the two profiles.
const (
	bitstringEntry = "BitstringStatusListEntry"
	list2021Entry  = "StatusList2021Entry"
)

func entryType(p Profile) string {
	if p == VC11 {
		return list2021Entry
	}
	return bitstringEntry
}

// statusList is a list that has been checked.
type statusList struct {
	issuer  string
	kind    string // the type of its subject
	purpose string
	until   time.Time
	bits    []byte
}

// lists finds status lists and keeps them for a while.
type lists struct {
	http     *http.Client
	resolver *identity.Resolver
	now      func() time.Time
	flight   singleflight.Group

	mu    sync.Mutex // guards cache
	cache map[string]keptList
}

type keptList struct {
	list *statusList
	err  error
	got  time.Time
	till time.Time
}

// check says whether a status entry of issuer's credential lets it stand.
func (l *lists) check(ctx context.Context, issuer string, e StatusEntry, age time.Duration) error {
	list, err := l.get(ctx, issuer, e.List, age)
	if err != nil {
		return err
	}
	switch {
	case list.issuer != issuer:
		return &corridor.Error{Kind: corridor.Forbidden, Where: clip(e.List), Msg: "the status list is of another issuer, " + clip(list.issuer)}
	case list.kind != listTypes(e.Type).subject:
		return &corridor.Error{Kind: corridor.Forbidden, Where: clip(e.List), Msg: fmt.Sprintf("the status list is a %q, the entry a %s", clip(list.kind), e.Type)}
	case list.purpose != e.Purpose:
		return &corridor.Error{Kind: corridor.Forbidden, Where: clip(e.List), Msg: fmt.Sprintf("the status list serves %q, the entry %s", clip(list.purpose), e.Purpose)}
	case e.Index/8 >= uint64(len(list.bits)):
		return &corridor.Error{Kind: corridor.Forbidden, Where: clip(e.List), Msg: fmt.Sprintf("the status list ends before entry %d", e.Index)}
	case list.bits[e.Index/8]>>(7-e.Index%8)&1 == 1: // index 0 is the leftmost bit
		return &corridor.Error{Kind: corridor.Forbidden, Msg: "the credential is under " + e.Purpose, Where: clip(e.List), Fix: "ask its issuer, " + clip(issuer)}
	}
	return nil
}

// get gives a list that was fetched at most age ago, once for all who want it
// at the same time. What an issuer says of its own list is not mixed
// with what another one says of the same address.
func (l *lists) get(ctx context.Context, issuer, at string, age time.Duration) (*statusList, error) {
	key := issuer + " " + at
	l.mu.Lock()
	k, ok := l.cache[key]
	l.mu.Unlock()
	if now := l.now(); ok && now.Before(k.till) && (k.err != nil || now.Before(k.got.Add(age))) {
		return k.list, k.err
	}
	ch := l.flight.DoChan(key, func() (any, error) {
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		list, err := l.fetch(own, issuer, at)
		l.keep(key, list, err)
		return list, err
	})
	select {
	case r := <-ch:
		if r.Err != nil {
			return nil, r.Err
		}
		list, _ := r.Val.(*statusList)
		return list, nil
	case <-ctx.Done():
		return nil, corridor.E(corridor.Unavailable, "the status list %s: %w", clip(at), ctx.Err())
	}
}

// fetchTimeout bounds one request for a status list, schema or presentation.
const fetchTimeout = 10 * time.Second

func (l *lists) keep(key string, list *statusList, err error) {
	now := l.now()
	till := now.Add(failureTTL)
	if err == nil {
		till = now.Add(listTTL)
		if !list.until.IsZero() && list.until.Before(till) {
			till = list.until
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	makeRoom(l.cache, maxLists, func(k keptList) bool { return !now.Before(k.till) })
	l.cache[key] = keptList{list: list, err: err, got: now, till: till}
}

// makeRoom drops what has expired once a cache is full, or anything if nothing
// has.
func makeRoom[V any](cache map[string]V, max int, expired func(V) bool) {
	if len(cache) < max {
		return
	}
	for k, v := range cache {
		if expired(v) {
			delete(cache, k)
		}
	}
	for k := range cache {
		if len(cache) < max {
			return
		}
		delete(cache, k)
	}
}

// forget lets lists be fetched anew.
func (l *lists) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.cache)
}

// fetch reads and checks a list.
func (l *lists) fetch(ctx context.Context, issuer, at string) (*statusList, error) {
	raw, err := get(ctx, l.http, at, "application/vc+jwt, application/jwt, application/json", maxList)
	if err != nil {
		return nil, err
	}
	list, err := l.read(ctx, issuer, at, raw)
	if corridor.KindOf(err) == corridor.Unavailable { // the issuer's keys, for one: that says nothing about the list
		return nil, fmt.Errorf("the status list %s cannot be checked now: %w", clip(at), err)
	}
	if err != nil {
		return nil, &corridor.Error{Kind: corridor.Forbidden, Where: clip(at), Msg: "the status list is not usable", Err: err}
	}
	return list, nil
}

// get fetches a small document of a stranger.
func get(ctx context.Context, client *http.Client, at, accept string, max int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, corridor.E(corridor.Forbidden, "%q is not an address", clip(at))
	}
	req.Header.Set("Accept", accept)
	resp, err := client.Do(req)
	if err != nil {
		if identity.Blocked(err) {
			return nil, fmt.Errorf("%s: %w", clip(at), err)
		}
		return nil, corridor.E(corridor.Unavailable, "%s cannot be had: %w", clip(at), err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, &corridor.Error{Kind: corridor.Unavailable, Msg: fmt.Sprintf("%s cannot be had: status %d", clip(at), resp.StatusCode), Fix: "serve it there itself; redirects are not followed"}
	}
	return readAll(resp.Body, at, max)
}

func readAll(r io.Reader, at string, max int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, corridor.E(corridor.Unavailable, "%s broke off: %w", clip(at), err)
	}
	if int64(len(raw)) > max {
		return nil, corridor.E(corridor.Limited, "%s is over the limit of %d bytes", clip(at), max)
	}
	return raw, nil
}

// read checks that the list is issuer's: signed by a key of its DID document,
// or unsigned and served by the very host that serves that document, which is
// what did:web rests on too.
func (l *lists) read(ctx context.Context, issuer, at string, raw []byte) (*statusList, error) {
	raw = bytes.TrimSpace(raw)
	if bytes.HasPrefix(raw, []byte("{")) {
		if !sameHost(issuer, at) {
			return nil, &corridor.Error{Kind: corridor.Forbidden, Msg: "it is not signed, and its host is not that of " + clip(issuer), Fix: "sign it as a JWT"}
		}
		var b body
		if err := strict(raw, &b); err != nil {
			return nil, err
		}
		return l.unpack(b)
	}
	j, err := identity.ParseJWT(string(raw), maxList)
	if err != nil {
		return nil, err
	}
	if err := j.Prove(ctx, l.resolver, issuer, identity.AssertionMethod); err != nil {
		return nil, err
	}
	var e struct {
		VC     josejson.RawMessage `json:"vc"`
		Expiry date                `json:"exp"`
	}
	if err := strict(j.Payload, &e); err != nil {
		return nil, err
	}
	inner := j.Payload
	if e.VC != nil {
		inner = e.VC
	}
	var b body
	if err := strict(inner, &b); err != nil {
		return nil, err
	}
	list, err := l.unpack(b)
	if err == nil && !e.Expiry.time().IsZero() && !l.now().Before(e.Expiry.time().Add(skew)) {
		return nil, corridor.E(corridor.Forbidden, "it has expired")
	}
	return list, err
}

// sameHost says whether an address is on the host of a did:web.
func sameHost(did, at string) bool {
	doc, err := identity.WebURL(did)
	if err != nil {
		return false
	}
	a, err := url.Parse(at)
	if err != nil {
		return false
	}
	d, err := url.Parse(doc)
	return err == nil && d.Host == a.Host && d.Scheme == a.Scheme
}

// unpack reads the credential of a list.
func (l *lists) unpack(b body) (*statusList, error) {
	var s struct {
		Type    string `json:"type"`
		Purpose string `json:"statusPurpose"`
		List    string `json:"encodedList"`
	}
	if err := strict(b.Subject, &s); err != nil {
		return nil, err
	}
	if !contains(b.Type, s.Type+"Credential") || s.Type != "BitstringStatusList" && s.Type != "StatusList2021" {
		return nil, corridor.E(corridor.Invalid, "its type is not that of a status list")
	}
	list := &statusList{issuer: string(b.Issuer), kind: s.Type, purpose: s.Purpose}
	from, err := instant("the begin of validity", firstText(b.ValidFrom, b.Issued))
	if err != nil {
		return nil, err
	}
	if list.until, err = instant("the end of validity", firstText(b.ValidUntil, b.Expires)); err != nil {
		return nil, err
	}
	if err := (&Credential{From: from, Until: list.until}).Valid(l.now()); err != nil {
		return nil, err
	}
	list.bits, err = unzip(s.List)
	return list, err
}

func firstText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// unzip unpacks encodedList, bounded. A list of 2021 is base64url; a bitstring
// is that in multibase, with a "u" before it. Gzip begins with "H4sI", so that
// the two cannot be mistaken.
func unzip(encoded string) ([]byte, error) {
	text := strings.TrimRight(strings.TrimPrefix(encoded, "u"), "=")
	text = strings.NewReplacer("+", "-", "/", "_").Replace(text)
	packed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "encodedList is not base64url")
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "encodedList is not gzip")
	}
	z.Multistream(false)
	bits, err := io.ReadAll(io.LimitReader(z, maxBits+1))
	switch {
	case len(bits) > maxBits:
		return nil, corridor.E(corridor.Limited, "encodedList unpacks to more than %d bytes", maxBits)
	case errors.Is(err, io.ErrUnexpectedEOF), err != nil:
		return nil, corridor.E(corridor.Invalid, "encodedList is damaged")
	}
	return bits, nil
}

// zip packs a list for encodedList.
func zip(bits []byte, p Profile) (string, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(bits)
	if err := errors.Join(err, z.Close()); err != nil {
		return "", corridor.E(corridor.Internal, "status list: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(b.Bytes())
	if p == VC20 {
		text = "u" + text
	}
	return text, nil
}

// mintList signs a status list of a profile.
func mintList(ctx context.Context, s identity.Signer, p Profile, issuer, at string, bits []byte, now time.Time) (string, error) {
	encoded, err := zip(bits, p)
	if err != nil {
		return "", err
	}
	k := listTypes(entryType(p))
	vc := map[string]any{"id": at, "type": []string{credentialType, k.credential}, "issuer": issuer,
		"credentialSubject": map[string]any{"id": at + "#list", "type": k.subject, "statusPurpose": "revocation", "encodedList": encoded}}
	return envelope(ctx, s, Draft{Profile: p, ID: at, Issuer: issuer, Holder: at + "#list", From: now, Until: now.Add(listLife)}, vc)
}

// listLife is how long a status list may be used by those who cannot reach us.
const listLife = time.Hour
