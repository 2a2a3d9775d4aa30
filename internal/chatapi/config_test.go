package chatapi_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"chatexport/internal/chatapi"
	"chatexport/internal/config"
)

func TestBaseURLsThatWouldLeakTheUserSigAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		base string
		ok   bool
	}{
		{"https://console.tim.qq.com", true},
		{"https://console.tim.qq.com/", true},
		{"https://gateway.example/chat", true},
		{"http://127.0.0.1:8080", true},
		{"http://[::1]:8080", true},
		{"http://localhost:8080", true},
		{"", false},
		{"console.tim.qq.com", false},
		{"http://console.tim.qq.com", false},
		{"http://127.0.0.1.example.com", false},
		{"http://10.0.0.1", false},
		{"ftp://127.0.0.1", false},
		{"https://user:hunter2@console.tim.qq.com", false},
		{"https://console.tim.qq.com?a=hunter2", false},
		{"https://console.tim.qq.com#hunter2", false},
		{"https://user:hunter2@%zz", false},
		{"https:hunter2", false},
	}
	for _, test := range tests {
		_, err := chatapi.New(chatapi.Config{SDKAppID: 1, SecretKey: config.NewSecret(key), BaseURL: test.base})
		if (err == nil) != test.ok {
			t.Errorf("%q: %v", test.base, err)
		}
		if err != nil && (!errors.Is(err, chatapi.ErrConfiguration) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%q: %v", test.base, err)
		}
	}
}

func TestTheSecretKeyIsNeverPrinted(t *testing.T) {
	t.Parallel()
	given := chatapi.Config{SDKAppID: appID, SecretKey: config.NewSecret(key), BaseURL: "http://127.0.0.1:1"}
	client := newClient(t, given.BaseURL, nil)
	_, _ = client.Page(t.Context(), newest()) // signs
	for _, value := range []any{given, &given, client, *client} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, value); strings.Contains(text, key) {
				t.Errorf("%s of %T prints the key", verb, value)
			}
		}
	}
}
