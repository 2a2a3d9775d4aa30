package main

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(
		slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") }),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
	)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// copySources copies what the function is built from.
func copySources(t *testing.T, target string) {
	t.Helper()
	for _, part := range []string{"go.mod", "go.sum", ".gitattributes", ".gitignore", "function", "internal", "scripts/pack", "scripts/package.sh"} {
		err := filepath.WalkDir(filepath.Join(root, part), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			body, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			path, err = filepath.Rel(root, path)
			if err != nil {
				return err
			}
			path = filepath.Join(target, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				return err
			}
			return os.WriteFile(path, body, info.Mode().Perm())
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestPackage_IsTheSameForTheSameCommit builds the package in two clones and looks at what is in it.
func TestPackage_IsTheSameForTheSameCommit(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "git"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	first, second := filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "a second folder")
	copySources(t, first)
	run(t, first, "git", "init", "-q")
	run(t, first, "git", "add", "-A")
	run(t, first, "git", "commit", "-q", "-m", "sources", "--date", "2026-01-02T23:30:00-05:00")
	run(t, filepath.Dir(first), "git", "clone", "-q", "--config", "core.autocrlf=true", first, second)

	output := run(t, first, "bash", "scripts/package.sh")
	hash := strings.TrimSpace(run(t, first, "git", "rev-parse", "HEAD"))
	version := "-" + hash[:12] + ","
	if !strings.Contains(output, version) || strings.Contains(output, "dirty") {
		t.Errorf("the version has no %q:\n%s", version, output)
	}
	// Another time zone, flags in the environment, and a clone that would have lines end as on Windows change nothing.
	other := run(t, second, "env", "TZ=Asia/Shanghai", "GOFLAGS=-buildvcs=false -tags=other", "bash", "scripts/package.sh")
	a, b := read(t, filepath.Join(first, "dist/chatexport.zip")), read(t, filepath.Join(second, "dist/chatexport.zip"))
	if !bytes.Equal(a, b) {
		t.Errorf("two packages of one commit differ:\n%s%s", output, other)
	}
	checkZip(t, a, read(t, filepath.Join(first, "dist/main")), strings.TrimSuffix(version, ","))

	if err := os.WriteFile(filepath.Join(second, "function/note.go"), []byte("package broken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	script := exec.CommandContext(t.Context(), "bash", "scripts/package.sh")
	script.Dir = second
	if dirty, err := script.CombinedOutput(); err == nil || !bytes.Contains(dirty, []byte("-dirty,")) {
		t.Errorf("a changed tree does not show in the version, or what does not compile is packed: %v\n%s", err, dirty)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func checkZip(t *testing.T, packed, binary []byte, version string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != 1 || z.File[0].Name != "main" || z.File[0].Mode() != 0o755 {
		t.Fatalf("%d files, the first is %s with mode %v; want main alone, with mode 0755", len(z.File), z.File[0].Name, z.File[0].Mode())
	}
	f, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(unpacked, binary) {
		t.Error("the zip holds something else than dist/main")
	}
	if !bytes.Contains(unpacked, []byte(version)) {
		t.Errorf("the binary does not hold its version %q", version)
	}
	e, err := elf.NewFile(bytes.NewReader(unpacked))
	if err != nil {
		t.Fatal(err)
	}
	if e.Machine != elf.EM_X86_64 {
		t.Errorf("built for %v", e.Machine)
	}
	for _, p := range e.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the binary is not static: it has %v", p.Type)
		}
	}
}

func TestPackage_ThatGrewTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	binary := filepath.Join(folder, "main")
	if err := os.WriteFile(binary, []byte("#!/bin/true"), 0o600); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(folder, "out.zip")
	if err := pack(binary, target, 100, io.Discard); err == nil || !strings.Contains(err.Error(), "at most 100") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(target); err == nil {
		t.Error("it was written all the same")
	}
	if err := pack(binary, target, 1000, io.Discard); err != nil {
		t.Error(err)
	}
	if err := pack(filepath.Join(folder, "missing"), target, maxBytes, io.Discard); err == nil {
		t.Error("a missing binary is packed")
	}
}
