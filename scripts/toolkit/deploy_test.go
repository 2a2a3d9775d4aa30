package main

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatexport/scripts/internal/scfstandin"
)

// modules names the folder with the package, and skips the test without it: npm ci --ignore-scripts in this folder.
func modules(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs(".")
	if err == nil {
		_, err = os.Stat(filepath.Join(folder, "node_modules", "tencent-component-toolkit"))
	}
	if err != nil {
		t.Skip("npm ci has not been run here")
	}
	t.Chdir("../..")
	return folder
}

func TestToolkit_DeploysWhatTheFileSays(t *testing.T) {
	folder := modules(t)
	var out bytes.Buffer
	if err := try(t.Context(), folder, &out); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// operator is in a folder with a package to deploy, and has an API to deploy it to.
func operator(t *testing.T, endpoint string) func(string) string {
	t.Helper()
	raw, err := os.ReadFile("serverless.yml")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	err = os.Mkdir("dist", 0o700)
	for name, content := range map[string][]byte{"serverless.yml": raw, "dist/chatexport.zip": sample()} {
		if err == nil {
			err = os.WriteFile(name, content, 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return func(name string) string {
		if value := variablesOf(name); value != "" {
			return value
		}
		return map[string]string{
			"CLOUD_ENDPOINT": endpoint, "TENCENT_SECRET_ID": "AKIDtest", "TENCENT_SECRET_KEY": "deploying-key",
		}[name]
	}
}

func TestDeploy_SendsThePackageAndTellsNoSecret(t *testing.T) {
	folder := modules(t)
	api := &scfstandin.Server{}
	server := httptest.NewServer(api)
	defer server.Close()
	var out bytes.Buffer
	err := deploy(t.Context(), folder, operator(t, server.URL), &out)
	if err != nil || len(api.Triggers("chatexport")) != 2 || !strings.Contains(out.String(), "chatexport is deployed in ap-guangzhou") {
		t.Errorf("%v, %d triggers\n%s", err, len(api.Triggers("chatexport")), out.String())
	}
	for _, secret := range []string{"deploying-key", variablesOf("CHAT_SECRET_KEY")} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("a secret is told:\n%s", out.String())
		}
	}
}

// The variables of the function are secrets: they go to nobody who cannot prove to be the API.
func TestDeploy_HostWithoutACertificateGetsNothing(t *testing.T) {
	folder := modules(t)
	api := &scfstandin.Server{}
	server := httptest.NewTLSServer(api)
	defer server.Close()
	var out bytes.Buffer
	if err := deploy(t.Context(), folder, operator(t, server.URL), &out); err == nil || len(api.Calls()) > 0 {
		t.Errorf("%v, %d calls\n%s", err, len(api.Calls()), out.String())
	}
}
