package folder_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"chatexport/internal/folder"
)

// What is no file and no folder is refused by the stores that use this package, and in their tests.
func open(t *testing.T) *folder.Folder {
	t.Helper()
	f, err := folder.Make(filepath.Join(t.TempDir(), "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestReadFile_IsBounded(t *testing.T) {
	t.Parallel()
	f := open(t)
	if err := f.Create("x", []byte("hello"), true); err != nil {
		t.Fatal(err)
	}
	for most, want := range map[int64]error{4: folder.ErrTooLarge, 5: nil, 6: nil} {
		if body, err := f.ReadFile("x", most); !errors.Is(err, want) || err == nil && string(body) != "hello" {
			t.Errorf("at most %d bytes: %q, %v", most, body, err)
		}
	}
}

func TestNames_NothingIsBesideTheFolderNorBelowAFile(t *testing.T) {
	t.Parallel()
	f := open(t)
	if err := errors.Join(f.Create("file", nil, false), os.WriteFile(filepath.Join(f.Path(), "..", "beside"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := f.MakeFolder("file/x", false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a folder below a file: %v", err)
	}
	if _, err := f.Stat("file/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("below a file: %v", err)
	}
	for _, name := range []string{"../beside", "..", filepath.Join(f.Path(), "file")} {
		_, statErr := f.Stat(name)
		_, readErr := f.ReadFile(name, 10)
		_, lockErr := f.Lock(name)
		for _, err := range []error{statErr, readErr, lockErr, f.Create(name+"/x", nil, false), f.Rename("file", name), f.Remove(name)} {
			if err == nil {
				t.Errorf("%s can be used", name)
			}
		}
	}
}

func TestLock_IsHeldByOne(t *testing.T) {
	t.Parallel()
	f := open(t)
	unlock, err := f.Lock("lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Lock("lock"); !errors.Is(err, folder.ErrLocked) {
		t.Errorf("a second time: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	unlock, err = f.Lock("lock")
	if err != nil {
		t.Fatal(err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}
