package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/folder"
	"chatexport/internal/layout"
	"chatexport/internal/objstore/dirstore"
	"chatexport/scripts/chatexport/internal/emulated"
)

const (
	recordName   = "demo.json"
	lockName     = "demo.lock"
	underWayName = "under-way" // there while events are not served to the end

	recordFormat = 2 // of the messages, too: another one where exhibits change
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
	Files    string        `json:"files,omitempty"`  // address of the files' host, which is in the messages
	Dealt    int           `json:"dealt,omitempty"`  // --groups
	Newest   int64         `json:"newest,omitempty"` // when the newest message of the excerpt was sent
	Groups   []recordGroup `json:"groups"`
}

type recordGroup struct {
	GroupID  string `json:"group_id"`
	TopicID  string `json:"topic_id,omitempty"`
	Messages int    `json:"messages"`
}

func recordOf(c content) record {
	r := record{Format: recordFormat, Source: c.source, SHA256: c.sha256, Messages: c.total, Dealt: c.dealt}
	for _, g := range c.groups {
		r.Groups = append(r.Groups, recordGroup{GroupID: g.stream.GroupID, TopicID: g.stream.TopicID, Messages: len(g.messages)})
	}
	return r
}

func (r record) same(other record) bool {
	return r.Format == other.Format && r.SHA256 == other.SHA256 && r.Messages == other.Messages && slices.Equal(r.Groups, other.Groups)
}

// openFolder makes the folder, or finds that it is an earlier demo's of the same messages. Until close is called no
// other demo can have it; the system gives it back when the process ends, however that happens. The record says where the
// files are to be served.
func openFolder(ctx context.Context, path string, c content) (_ *folder.Folder, _ record, closeFolder func() error, err error) {
	dir, err := folder.Make(path)
	if err != nil {
		return nil, record{}, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, dir.Close())
		}
	}()
	r, fresh, err := checkFolder(dir, recordOf(c))
	if err != nil {
		return nil, record{}, nil, err
	}
	unlock, err := dir.Lock(lockName)
	switch {
	case errors.Is(err, folder.ErrLocked):
		return nil, record{}, nil, fmt.Errorf("%s: %w", path, errInUse)
	case err != nil:
		return nil, record{}, nil, fmt.Errorf("%s: %w", path, err)
	}
	if fresh {
		r.Newest = time.Now().Add(-lately).Unix()
		err = c.keep(dir)
		if err == nil && c.hasFiles {
			r.Files, err = freeAddress(ctx)
		}
		if err == nil {
			// A crash in this write, or right after it: the folder has no bucket yet, and is as good as new.
			err = writeRecord(dir, r)
		}
		if err != nil {
			return nil, record{}, nil, errors.Join(err, unlock())
		}
	}
	c.recent(r.Newest)
	return dir, r, func() error { return errors.Join(unlock(), dir.Close()) }, nil
}

// freeAddress picks where the files of a new folder are served as long as the folder lives. It is below the ports that
// systems give to whoever asks for any, so that nobody has it by chance when the demo is started again.
func freeAddress(ctx context.Context) (string, error) {
	const first, ports, tries = 10_000, 20_000, 100
	var failure error
	for range tries {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(ports))) //nolint:gosec // no secret
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err == nil {
			return address, l.Close()
		}
		failure = err
	}
	return "", fmt.Errorf("find a port for the host of the files: %w", failure)
}

// checkFolder returns what the folder holds, or that it has no bucket yet. It refuses another program's folder, in which the demo would
// strew files, and that of other messages.
func checkFolder(dir *folder.Folder, want record) (_ record, fresh bool, err error) {
	switch _, err := dir.Stat(emulated.Bucket); {
	case errors.Is(err, fs.ErrNotExist):
		return want, true, checkNew(dir)
	case err != nil:
		return record{}, false, err
	}
	found, err := readRecord(dir)
	if err != nil {
		return record{}, false, err
	}
	if !found.same(want) {
		return record{}, false, fmt.Errorf("%s %w: it has %d of %s, asked for are %d of %s",
			dir.Path(), errOtherMessages, found.Messages, found.Source, want.Messages, want.Source)
	}
	return found, false, nil
}

func checkNew(dir *folder.Folder) error {
	entries, err := dir.ReadDir(".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != lockName && e.Name() != recordName && e.Name() != messagesName {
			return fmt.Errorf("%s is not empty and no demo's folder; choose another one", dir.Path())
		}
	}
	return nil
}

func readRecord(dir *folder.Folder) (record, error) {
	const maxBytes = 16 << 20 // 20,000 groups
	var found record
	raw, err := dir.ReadFile(recordName, maxBytes)
	if err == nil {
		err = json.Unmarshal(raw, &found)
	}
	if err != nil {
		return record{}, fmt.Errorf("read %s: %w", recordName, err)
	}
	return found, nil
}

func writeRecord(dir *folder.Folder, r record) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = put(dir, recordName, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", recordName, err)
	}
	return nil
}

// put writes a file that may be there.
func put(dir *folder.Folder, name string, content []byte) error {
	if err := dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A crash right before this: there is no such file, as if it had never been written.
	return dir.Create(name, content, false)
}

// archive is the bucket's folder.
func (o options) archive() string { return filepath.Join(o.out, emulated.Bucket) }

// forgetHints finds out whether an earlier start did not come to its end. Then its queue is lost, and this start's tick
// does what the lost events would have done. The archive's hints are removed: a lease among them would keep the tick
// waiting for an event that never comes, and nothing else is lost with them.
func forgetHints(ctx context.Context, dir *folder.Folder, o options) (resumed bool, err error) {
	if _, err := dir.Stat(underWayName); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return false, err
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
