package cloudemu

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// disk keeps a queue in a folder: <sequence>-<id>.json for an event that is queued or under way, the same in dead/ for
// a dead letter. Files are replaced by an atomic rename, so that a reader finds the old or the new one. A nil disk
// keeps nothing.
type disk struct{ folder string }

// stored is the content of a file.
type stored struct {
	Sequence  int64  `json:"sequence"`
	ID        string `json:"id"`
	RequestID string `json:"request_id"`
	Attempt   int    `json:"attempt"`
	Payload   []byte `json:"payload"` // base64: a payload need not be JSON
	Reason    string `json:"reason,omitempty"`
}

const (
	deadFolder = "dead"
	unfinished = ".part"
)

func openDisk(folder string) (*disk, error) {
	if err := os.MkdirAll(filepath.Join(folder, deadFolder), 0o700); err != nil {
		return nil, err
	}
	return &disk{folder: folder}, nil
}

func (d *disk) path(e *entry) string {
	return filepath.Join(d.folder, fmt.Sprintf("%019d-%s.json", e.sequence, e.ID))
}

func (d *disk) save(e *entry) error {
	if d == nil {
		return nil
	}
	// A crash right after this: the event is queued, as the caller was about to say.
	return replace(d.path(e), stored{Sequence: e.sequence, ID: e.ID, RequestID: e.RequestID, Attempt: e.Attempt, Payload: e.Payload})
}

func (d *disk) remove(e *entry) error {
	if d == nil {
		return nil
	}
	return os.Remove(d.path(e))
}

func (d *disk) bury(e *entry, letter DeadLetter) error {
	if d == nil {
		return nil
	}
	// A crash between the two: the event is dead and queued, and will be served once more.
	dead := filepath.Join(d.folder, deadFolder, filepath.Base(d.path(e)))
	if err := replace(dead, stored{Sequence: e.sequence, ID: e.ID, RequestID: e.RequestID, Attempt: e.Attempt, Payload: e.Payload, Reason: letter.Reason}); err != nil {
		return err
	}
	return d.remove(e)
}

func (d *disk) load() ([]*entry, []DeadLetter, error) {
	files, err := read(d.folder)
	if err != nil {
		return nil, nil, err
	}
	buried, err := read(filepath.Join(d.folder, deadFolder))
	if err != nil {
		return nil, nil, err
	}
	queued := make([]*entry, 0, len(files))
	for _, s := range files {
		queued = append(queued, &entry{Delivery: s.delivery(), sequence: s.Sequence})
	}
	dead := make([]DeadLetter, 0, len(buried))
	for _, s := range buried {
		dead = append(dead, DeadLetter{Delivery: s.delivery(), Reason: s.Reason})
	}
	return queued, dead, nil
}

func (s stored) delivery() Delivery {
	return Delivery{ID: s.ID, RequestID: s.RequestID, Payload: s.Payload, Attempt: s.Attempt}
}

// read returns the files of a folder by sequence, and removes what a crash left unfinished.
func read(folder string) ([]stored, error) {
	names, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var files []stored
	for _, name := range names {
		path := filepath.Join(folder, name.Name())
		if strings.HasSuffix(path, unfinished) {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
		if filepath.Ext(path) != ".json" {
			continue
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var s stored
		if err := json.Unmarshal(raw, &s); err != nil || s.ID == "" || s.Attempt < 1 {
			return nil, fmt.Errorf("%s is not an event of this queue", path)
		}
		files = append(files, s)
	}
	slices.SortFunc(files, func(a, b stored) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return files, nil
}

func replace(path string, s stored) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+unfinished, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(path+unfinished, path)
}
