package config

import (
	"net/netip"
	"strings"
)

// Loopback reports whether a host, as it stands in a URL, is this machine, without asking a name server. It is the one
// rule for which hosts may be spoken to in plain http: secrets and messages are in every request.
func Loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
