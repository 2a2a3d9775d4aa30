package demo

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"chatexport/internal/folder"
)

const (
	// messagesName is what a folder keeps of a person's own log, so that it can be opened without the log.
	messagesName = "messages.ndjson.gz"

	maxLines = 1 << 30

	// lately is how old the newest message of the excerpt is when a folder is new, and span how far its messages are apart at
	// most: the excerpt is a conversation of the last week.
	lately = 10 * time.Minute
	span   = 6 * 24 * time.Hour
)

// keep writes a person's own lines into a new folder.
func (c content) keep(dir *folder.Folder) error {
	if c.lines == nil {
		return nil
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(c.lines)
	if err = errors.Join(err, z.Close()); err == nil {
		// A crash right after this: the folder has no record yet, and is as good as new.
		err = put(dir, messagesName, packed.Bytes())
	}
	if err != nil {
		return fmt.Errorf("keep the messages: %w", err)
	}
	return nil
}

// keptLines returns the lines that a folder keeps, nil if it is of the excerpt.
func keptLines(path string) (lines []byte, err error) {
	dir, err := folder.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	packed, err := dir.ReadFile(messagesName, maxLines)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err == nil {
		lines, err = io.ReadAll(io.LimitReader(z, maxLines))
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", messagesName, err)
	}
	return lines, nil
}

// recent moves the messages of the excerpt into the week before newest, each the later the later it was. A person's own keep
// their times, and so does what an older version's folder holds.
func (c content) recent(newest int64) {
	if c.lines != nil || newest == 0 {
		return
	}
	var first, last int64
	for _, g := range c.groups {
		for i := range g.messages {
			sent := g.messages[i].Time
			if last == 0 {
				first = sent
			}
			first, last = min(first, sent), max(last, sent)
		}
	}
	apart := max(last-first, 1)
	within := min(apart, int64(span/time.Second))
	for _, g := range c.groups {
		for i := range g.messages {
			g.messages[i].Time = newest - (last-g.messages[i].Time)*within/apart
		}
	}
}
