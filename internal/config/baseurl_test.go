package config_test

import (
	"testing"

	"chatexport/internal/config"
)

func TestLoopbackIsThisMachineOnly(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "127.0.0.1": true, "127.8.9.10": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.example.com": false, "127.0.0.1.example.com": false, "10.0.0.1": false, "0.0.0.0": false, "::": false,
		"::ffff:10.0.0.1": false, "2130706433": false, "0x7f.1": false, "127.1": false, "127.0.0.1:80": false, "[::1]": false,
	} {
		if got := config.Loopback(host); got != want {
			t.Errorf("%q: %t, want %t", host, got, want)
		}
	}
}
