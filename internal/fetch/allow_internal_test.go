package fetch

import (
	"net/netip"
	"testing"
)

func TestAddress_MustBePublic(t *testing.T) {
	t.Parallel()
	for want, addresses := range map[bool][]string{
		true: {"1.1.1.1", "43.137.0.1", "172.32.0.1", "100.128.0.1", "198.20.0.1", "2402:4e00::1", "2606:4700::1111", "::ffff:1.1.1.1"},
		false: {
			"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255",
			"169.254.0.23", "169.254.169.254", "192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
			"224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
			"::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd12::1", "ff02::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
			"64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1", "4000::1",
		},
	} {
		for _, text := range addresses {
			addr := netip.MustParseAddr(text)
			if got := public(addr); got != want {
				t.Errorf("%s is public: %t", text, got)
			}
			err := only(public)("tcp", netip.AddrPortFrom(addr, 443).String(), nil)
			if (err == nil) != want {
				t.Errorf("%s is dialled: %v", text, err)
			}
		}
	}
	if err := only(public)("tcp", "files.example.com:443", nil); err == nil {
		t.Error("a name is dialled without an address")
	}
}
