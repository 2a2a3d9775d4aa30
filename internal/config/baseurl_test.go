package config_test

import (
	"strings"
	"testing"

	"chatexport/internal/config"
)

func TestBaseURL_PlainHTTPIsForThisMachineOnly(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "127.0.0.1": true, "127.8.9.10:80": true, "[::1]": true, "[::ffff:127.0.0.1]:80": true,
		"localhost.example.com": false, "127.0.0.1.example.com": false, "10.0.0.1": false, "0.0.0.0": false, "[::]": false,
		"[::ffff:10.0.0.1]": false, "2130706433": false, "0x7f.1": false, "127.1": false,
	} {
		if u, err := config.BaseURL("http://" + host + "//"); (err == nil) != want || err == nil && u.String() != "http://"+host {
			t.Errorf("http://%s: %v, %v", host, u, err)
		}
		if u, err := config.BaseURL("https://" + host + "/a/b/"); err != nil || u.String() != "https://"+host+"/a/b" {
			t.Errorf("https://%s: %v, %v", host, u, err)
		}
	}
}

func TestBaseURL_HasNothingBehindIt(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"", "host", "host:80", "//host", "https:hunter2", "https://", "https://:443", "ftp://127.0.0.1",
		"https://user:hunter2@host", "https://user:hunter2@%zz", "https://host?a=hunter2", "https://host?", "https://host#hunter2",
	} {
		if u, err := config.BaseURL(raw); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, %v", raw, u, err)
		}
	}
}
