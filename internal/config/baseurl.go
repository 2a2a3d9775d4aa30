package config

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// BaseURL reads a base URL: scheme and host, perhaps a path, and nothing else. It is the one rule for what may be spoken
// to: secrets and messages are in every request, so plain http is for this machine only. The error names the problem and
// never the URL: an operator may have put credentials into it.
func BaseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return nil, errors.New("is not a URL with scheme and host")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("has a user, a query or a fragment")
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		return nil, errors.New("is plain http, which is allowed for loopback hosts only; use https")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("has a scheme other than https")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.Path, "/")}, nil
}

// Loopback reports whether a host, as it stands in a URL, is this machine, without asking a name server.
func Loopback(host string) bool {
	host = hostOf(host)
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
