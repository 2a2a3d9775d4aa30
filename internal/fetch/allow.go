package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"chatexport/internal/config"
)

// tencentHosts keep the files that people send (facts: every form of URL that was seen).
func tencentHosts() config.Hosts {
	return config.Hosts{"*.rich.my-imcloud.com", "*.imrich.qcloud.com", "*.im.qcloud.com", "*.myqcloud.com", "*.tencentcos.cn"}
}

// allow reads a URL and says whether it may be asked for: first its scheme, then its host. It returns what is asked for
// instead of plain http. Any port will do: the list names hosts, and the certificate proves the host whatever the port.
func (f *Fetcher) allow(raw string) (*url.URL, *Failure) {
	u, err := url.Parse(strings.TrimSpace(raw)) // its error quotes the URL
	if err != nil {
		return nil, refused(CodeURL)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, refused(CodeScheme)
	}
	host, port := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), u.Port()
	if _, err := strconv.ParseUint("0"+port, 10, 16); err != nil || host == "" {
		return nil, refused(CodeURL)
	}
	if !f.tencent.Has(host) && !f.cfg.Hosts.Has(host) {
		return nil, &Failure{State: External, Code: CodeHost}
	}
	if u.User != nil {
		return nil, refused(CodeUser)
	}
	if u.Scheme == "http" && !f.loopback(host) {
		u.Scheme = "https"
		if port == "80" {
			port = ""
		}
	}
	u.Host, u.Fragment, u.RawFragment = host, "", ""
	if port != "" {
		u.Host = net.JoinHostPort(host, port)
	} else if strings.Contains(host, ":") {
		u.Host = "[" + host + "]"
	}
	return u, nil
}

// Host returns the host that a URL is fetched from, with its port if it names one; empty if it never is.
func (f *Fetcher) Host(raw string) string {
	u, failure := f.allow(raw)
	if failure != nil {
		return ""
	}
	return u.Host
}

// loopback reports whether a host is this machine, and may be asked.
func (f *Fetcher) loopback(host string) bool {
	return f.cfg.Loopback && config.Loopback(host) && f.cfg.Hosts.Has(host)
}

// errAddress means that a host's address is none that may be dialled.
var errAddress = errors.New("not a public address")

// dial connects to a host of the list. What counts is the address that is dialled, after its name was looked up: a name in
// a message could lead to a neighbour of the function that trusts it. Tencent's own names lead to Tencent's own network,
// and the certificate proves the host.
func (f *Fetcher) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if f.cfg.Dial != nil {
		return f.cfg.Dial(ctx, network, address)
	}
	d := net.Dialer{Timeout: dialTimeout, Resolver: f.cfg.Resolver}
	switch {
	case f.tencent.Has(host), f.proxied(address):
	case f.loopback(host):
		d.Control = only(netip.Addr.IsLoopback)
	default:
		d.Control = only(public)
	}
	return d.DialContext(ctx, network, address)
}

// proxied reports whether an address is that of the proxy for files. No message can name it: it is not on the list.
func (f *Fetcher) proxied(address string) bool {
	if f.cfg.Proxy == nil {
		return false
	}
	proxy, err := f.cfg.Proxy(&http.Request{URL: &url.URL{Scheme: "https", Host: "file.im.qcloud.com"}})
	return err == nil && proxy != nil && (proxy.Host == address || proxy.Port() == "" && proxy.Hostname() == hostOf(address))
}

func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}

// only refuses to dial any other address.
func only(may func(netip.Addr) bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !may(at.Addr().Unmap()) {
			return fmt.Errorf("%w: %s", errAddress, at.Addr())
		}
		return nil
	}
}

// public reports whether an address is one of the Internet: none of the IANA registries of special-purpose addresses.
func public(addr netip.Addr) bool {
	addr = addr.Unmap()
	if !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.Zone() != "" {
		return false // unspecified, loopback, link-local, multicast, broadcast; 10/8, 172.16/12, 192.168/16, fc00::/7
	}
	if addr.Is6() && !netip.MustParsePrefix("2000::/3").Contains(addr) {
		return false // all that is given out is in here; NAT64 (64:ff9b::/96) and the like are not
	}
	for _, special := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	} {
		if netip.MustParsePrefix(special).Contains(addr) {
			return false
		}
	}
	return true
}
