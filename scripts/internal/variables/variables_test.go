package variables_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatexport/scripts/internal/variables"
)

func TestTheEnvironmentHasPrecedenceOverTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	write(t, path, "COS_REGION=ap-shanghai\nCOS_BUCKET='from-file-1250000000'\n")
	getenv, err := variables.Read(path, func(name string) string { return map[string]string{"COS_REGION": "ap-guangzhou"}[name] })
	if err != nil || getenv("COS_REGION") != "ap-guangzhou" || getenv("COS_BUCKET") != "from-file-1250000000" {
		t.Errorf("region %q, bucket %q: %v", getenv("COS_REGION"), getenv("COS_BUCKET"), err)
	}
	write(t, path, "CHAT_SECRET_KEY=\"hunter2\n")
	if _, err := variables.Read(path, os.Getenv); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a broken file: %v", err)
	}
	if _, err := variables.Read(filepath.Join(t.TempDir(), "missing"), os.Getenv); err != nil {
		t.Error(err)
	}
}

func write(t *testing.T, path, body string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
}
