package identity

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"corridor"
)

const (
	webMethod = "did:web:"
	maxDID    = 512
)

// WebURL gives the address of a did:web identifier's document:
// did:web:example.org is https://example.org/.well-known/did.json,
// did:web:example.org%3A8443:a:b is https://example.org:8443/a/b/did.json.
// Loopback hosts are reached by plain http, all others by https. Addresses in
// place of host names are refused, except loopback ones.
func WebURL(did string) (string, error) {
	rest, ok := strings.CutPrefix(did, webMethod)
	if !ok {
		return "", badDID(did, "it does not begin with did:web:")
	}
	if len(did) > maxDID {
		return "", badDID(did, "it is too long")
	}
	parts := strings.Split(rest, ":")
	host, port, hasPort := strings.Cut(strings.ReplaceAll(parts[0], "%3a", "%3A"), "%3A")
	if why := checkHost(host); why != "" {
		return "", badDID(did, why)
	}
	at := host
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || port != strconv.FormatUint(n, 10) {
			return "", badDID(did, "the port is not a number from 1 to 65535")
		}
		at = host + ":" + port
	}
	scheme := "https://"
	if loopbackHost(host) {
		scheme = "http://"
	}
	path := "/.well-known"
	if len(parts) > 1 {
		path = ""
		for _, p := range parts[1:] {
			if why := checkSegment(p); why != "" {
				return "", badDID(did, why)
			}
			path += "/" + p
		}
	}
	return scheme + at + path + "/did.json", nil
}

// WebDID gives the did:web identifier of a base address, such as
// https://example.org:8443/gateway. It is the inverse of WebURL.
func WebDID(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", &corridor.Error{Kind: corridor.Invalid, Msg: strconv.Quote(clip(base)) + " is not a base address", Fix: "give it like https://example.org/gateway"}
	}
	did := webMethod + strings.ToLower(strings.Replace(u.Host, ":", "%3A", 1))
	did = strings.Replace(did, "%3a", "%3A", 1)
	if p := strings.TrimSuffix(strings.TrimPrefix(u.EscapedPath(), "/"), "/"); p != "" {
		did += ":" + strings.ReplaceAll(p, "/", ":")
	}
	if _, err := WebURL(did); err != nil {
		return "", err
	}
	return did, nil
}

func badDID(did, why string) error {
	return &corridor.Error{Kind: corridor.Invalid, Msg: strconv.Quote(clip(did)) + " is not a usable DID: " + why,
		Fix: "write it like did:web:example.org or did:web:example.org%3A8443:gateway"}
}

// checkHost allows lower-case host names and loopback addresses. A name whose
// last label is numeric is an address in some disguise: 0x7f.1, 2130706433.
func checkHost(host string) string {
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Is4() && a.IsLoopback() {
			return ""
		}
		return "an IP address in place of a host name"
	}
	if len(host) > 253 {
		return "the host name is too long"
	}
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return "the host name must be lower-case letters, digits and hyphens"
		}
	}
	if last := labels[len(labels)-1]; last[0] >= '0' && last[0] <= '9' {
		return "an IP address in place of a host name"
	}
	return ""
}

func checkSegment(s string) string {
	plain, err := url.PathUnescape(s)
	switch {
	case err != nil:
		return "a path segment is badly escaped"
	case plain == "" || plain == "." || plain == "..":
		return "a path segment is empty or dots"
	case strings.ContainsFunc(plain, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '/' || r == '\\' || r == 0xfffd }):
		return "a path segment holds a separator or a control character"
	case strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%") != "":
		return "a path segment holds a character that must be escaped"
	}
	return ""
}

func loopbackHost(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && a.IsLoopback()
}

// SplitKeyID takes a DID URL of a key apart.
func SplitKeyID(id string) (did, fragment string, err error) {
	did, fragment, ok := strings.Cut(id, "#")
	if !ok || fragment == "" || !strings.HasPrefix(did, "did:") || len(id) > 2*maxDID || strings.ContainsAny(fragment, "#/?") {
		return "", "", corridor.E(corridor.Invalid, "%q is not the DID URL of a key", clip(id))
	}
	if strings.ContainsAny(did, "/? ") {
		return "", "", corridor.E(corridor.Invalid, "%q is not the DID URL of a key", clip(id))
	}
	return did, fragment, nil
}

// clip shortens foreign text for an error message.
func clip(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
