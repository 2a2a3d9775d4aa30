package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

var hostName = regexp.MustCompile(`^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$`)

const maxHostBytes = 253

// Hosts are names and addresses of hosts in lower case; one that begins with "*." stands for all names below.
type Hosts []string

// ParseHosts reads a list with commas between names or addresses without port, each of which may begin with "*.". The
// error says which entry is wrong, and never what it is.
func ParseHosts(list string) (Hosts, error) {
	var hosts Hosts
	n := 0
	for entry := range strings.SplitSeq(list, ",") {
		n++
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue // a comma too many
		}
		host := hostOf(strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]"))
		name, wild := strings.CutPrefix(host, "*.")
		addr, err := netip.ParseAddr(name)
		switch {
		case err == nil && !wild && addr.Zone() == "":
		case err == nil, len(name) > maxHostBytes, !hostName.MatchString(name), onlyDigits(name):
			return nil, fmt.Errorf("has an entry, number %d, that is no name or address of a host", n)
		}
		hosts = append(hosts, host)
	}
	return hosts, nil
}

// Has reports whether a host, as it stands in a URL, is among the hosts.
func (h Hosts) Has(host string) bool {
	host = hostOf(host)
	for _, entry := range h {
		below, wild := strings.CutPrefix(entry, "*")
		if host == entry || wild && len(host) > len(below) && strings.HasSuffix(host, below) {
			return true
		}
	}
	return false
}

// hostOf writes a host in one way.
func hostOf(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().String()
	}
	return host
}

// onlyDigits tells what some systems take for an address that is none: a port was meant, or part of an address is missing.
func onlyDigits(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	return strings.Trim(last, "0123456789") == ""
}
