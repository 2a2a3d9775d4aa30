package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLocks_NameEveryPackageByItsHashAndNoAddress(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{".", "../duckdb"} {
		var wanted struct{ Dependencies map[string]string }
		var lock struct {
			Packages map[string]struct{ Version, Integrity, Resolved string }
		}
		for name, into := range map[string]any{"package.json": &wanted, "package-lock.json": &lock} {
			text, err := os.ReadFile(filepath.Join(folder, name))
			if err == nil {
				err = json.Unmarshal(text, into)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for path, p := range lock.Packages {
			if path != "" && (!strings.HasPrefix(p.Integrity, "sha512-") || p.Resolved != "") {
				t.Errorf("%s: %s: %+v", folder, path, p)
			}
		}
		for name, version := range wanted.Dependencies {
			if locked := lock.Packages["node_modules/"+name].Version; locked != version {
				t.Errorf("%s: %s %s is locked as %q", folder, name, version, locked)
			}
		}
		if len(wanted.Dependencies) == 0 {
			t.Errorf("%s: nothing is wanted", folder)
		}
	}
}
