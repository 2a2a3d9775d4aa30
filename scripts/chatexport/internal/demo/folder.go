package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gofrs/flock"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore/dirstore"
	"chatexport/scripts/chatexport/internal/emulated"
)

const (
	recordName   = "demo.json"
	lockName     = "demo.lock"
	underWayName = "under-way" // there while events are not served to the end

	recordFormat = 1
)

var (
	// errOtherMessages means that a folder holds the archive of other messages: what is archived could not be theirs.
	errOtherMessages = errors.New("is the folder of a demo of other messages; choose another --out, or remove the folder")
	errInUse         = errors.New("another demo is using the folder")
)

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
// other demo can have it; the system gives it back when the process ends, however that happens.
func openFolder(path string, c content) (closeFolder func() error, err error) {
	fresh, err := checkFolder(path, recordOf(c))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("make --out: %w", err)
	}
	lock := flock.New(filepath.Join(path, lockName))
	switch held, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("--out %s: %w", path, err)
	case !held:
		return nil, fmt.Errorf("--out %s: %w", path, errInUse)
	}
	if fresh {
		// A crash in this write, or right after it: the folder has no bucket yet, and is as good as new.
		if err := writeRecord(path, recordOf(c)); err != nil {
			return nil, errors.Join(err, lock.Unlock())
		}
	}
	return lock.Unlock, nil
}

// checkFolder reports whether the folder has no bucket yet. It refuses another program's folder, in which the demo would
// strew files, and that of other messages.
func checkFolder(path string, want record) (fresh bool, err error) {
	if _, err := os.Stat(filepath.Join(path, emulated.Bucket)); errors.Is(err, fs.ErrNotExist) {
		return true, checkNew(path)
	}
	found, err := readRecord(path)
	if err != nil {
		return false, fmt.Errorf("--out: %w", err)
	}
	if !found.same(want) {
		return false, fmt.Errorf("--out %s %w: it has %d of %s, asked for are %d of %s",
			path, errOtherMessages, found.Messages, found.Source, want.Messages, want.Source)
	}
	return false, nil
}

func checkNew(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--out: %w", err)
	}
	for _, e := range entries {
		if e.Name() != lockName && e.Name() != recordName {
			return fmt.Errorf("--out %s is not empty and no demo's folder; choose another one", path)
		}
	}
	return nil
}

func readRecord(path string) (record, error) {
	var found record
	raw, err := os.ReadFile(filepath.Join(path, recordName))
	if err == nil {
		err = json.Unmarshal(raw, &found)
	}
	if err != nil {
		return record{}, fmt.Errorf("read %s: %w", recordName, err)
	}
	return found, nil
}

func writeRecord(path string, r record) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(path, recordName), append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", recordName, err)
	}
	return nil
}

// archive is the bucket's folder.
func (o options) archive() string { return filepath.Join(o.out, emulated.Bucket) }

// underWay is a file that is there while events are not served to the end.
func (o options) underWay() string { return filepath.Join(o.out, underWayName) }

// forgetHints finds out whether an earlier start did not come to its end. Then its queue is lost, and this start's tick
// does what the lost events would have done. The archive's hints are removed: a lease among them would keep the tick
// waiting for an event that never comes, and nothing else is lost with them.
func forgetHints(ctx context.Context, o options) (resumed bool, err error) {
	if _, err := os.Stat(o.underWay()); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	store, err := dirstore.Open(o.archive())
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for entry, err := range store.List(ctx, layout.StatePrefix, "") {
		if err == nil {
			// A crash right after this: the next start removes the others.
			err = store.Remove(ctx, entry.Key)
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

func (c content) streams() []chat.Stream {
	streams := make([]chat.Stream, 0, len(c.groups))
	for _, g := range c.groups {
		streams = append(streams, g.stream)
	}
	return streams
}
