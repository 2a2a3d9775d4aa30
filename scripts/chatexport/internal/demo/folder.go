package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"chatexport/internal/chat"
)

const (
	recordName  = "demo.json"
	recordPart  = "demo.json.part"
	lockName    = "demo.lock"
	queueFolder = "queue"

	recordFormat = 1
)

// errOtherMessages means that a folder holds the archive of other messages: what is archived could not be theirs.
var errOtherMessages = errors.New("is the folder of a demo of other messages; choose another --out, or remove the folder")

// record is demo.json: what the emulated groups of a folder hold. The Chat emulator keeps nothing on disk, so a later
// start must fill it with the same.
type record struct {
	Format   int           `json:"format"`
	Source   string        `json:"source"`
	SHA256   string        `json:"sha256"` // of the lines
	Messages int           `json:"messages"`
	Groups   []recordGroup `json:"groups"`
}

type recordGroup struct {
	GroupID  string `json:"group_id"`
	TopicID  string `json:"topic_id,omitempty"`
	Messages int    `json:"messages"`
}

func recordOf(c content) record {
	r := record{Format: recordFormat, Source: c.source, SHA256: c.sha256, Messages: c.total}
	for _, g := range c.groups {
		r.Groups = append(r.Groups, recordGroup{GroupID: g.stream.GroupID, TopicID: g.stream.TopicID, Messages: len(g.messages)})
	}
	return r
}

func (r record) same(other record) bool {
	return r.Format == other.Format && r.SHA256 == other.SHA256 && r.Messages == other.Messages && slices.Equal(r.Groups, other.Groups)
}

// openFolder makes the folder, or finds that it is an earlier demo's of the same messages. Until close is called no
// other demo can have it.
func openFolder(path string, c content) (closeFolder func() error, err error) {
	fresh, err := checkFolder(path, recordOf(c))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("make --out: %w", err)
	}
	unlock, err := lock(filepath.Join(path, lockName))
	if err != nil {
		return nil, fmt.Errorf("--out %s: %w", path, err)
	}
	if fresh {
		if err := writeRecord(path, recordOf(c)); err != nil {
			return nil, errors.Join(err, unlock())
		}
	}
	return unlock, nil
}

// checkFolder reports whether the folder is new. Another program's folder is refused: the demo would strew files in it.
func checkFolder(path string, want record) (fresh bool, err error) {
	raw, err := os.ReadFile(filepath.Join(path, recordName))
	switch {
	case err == nil:
		var found record
		if err := json.Unmarshal(raw, &found); err != nil {
			return false, fmt.Errorf("%s is not readable: %w", filepath.Join(path, recordName), err)
		}
		if !found.same(want) {
			return false, fmt.Errorf("--out %s %w: it has %d of %s, asked for are %d of %s",
				path, errOtherMessages, found.Messages, found.Source, want.Messages, want.Source)
		}
		return false, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("--out: %w", err)
	}
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("--out: %w", err)
	}
	for _, e := range entries {
		if e.Name() != lockName && e.Name() != recordPart {
			return false, fmt.Errorf("--out %s is not empty and no demo's folder; choose another one", path)
		}
	}
	return true, nil
}

// writeRecord writes demo.json in one step, before anything else is written. A crash before it leaves an empty folder,
// a crash after it one whose archive is empty.
func writeRecord(path string, r record) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", recordName, err)
	}
	part := filepath.Join(path, recordPart)
	if err := os.WriteFile(part, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", recordName, err)
	}
	if err := os.Rename(part, filepath.Join(path, recordName)); err != nil {
		return fmt.Errorf("write %s: %w", recordName, err)
	}
	return nil
}

func (c content) streams() []chat.Stream {
	streams := make([]chat.Stream, 0, len(c.groups))
	for _, g := range c.groups {
		streams = append(streams, g.stream)
	}
	return streams
}
