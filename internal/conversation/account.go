package conversation

import (
	"context"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
)

// account tells what became of the links of messages, asked in order. Receipts that cannot be read are told of each link that
// they would speak of: they hide no message.
type account struct {
	receipts *catalog.Account
	failure  error
}

// StateUnknown stands for the state of a link whose receipt cannot be read. No receipt has it.
const StateUnknown = "unknown"

func newAccount(ctx context.Context, c *Conversation, u *unpacked) *account {
	return &account{receipts: catalog.NewAccount(ctx, c.reader.store, c.Stream, &u.chunk.ChunkEntry)}
}

func (a *account) close() { a.receipts.Close() }

// files returns the links of an element by their places in it. The error is the store's.
func (a *account) files(e *chat.Element) (map[fileKey]*File, error) {
	links := chat.Links(e)
	if len(links) == 0 {
		return nil, nil
	}
	var lines []archive.MediaLine
	if a.failure == nil {
		lines, a.failure = a.receipts.Links(e)
	}
	if a.failure != nil {
		if !catalog.Damaged(a.failure) {
			return nil, a.failure
		}
		lines = nil
		for _, link := range links {
			lines = append(lines, archive.MediaLine{Link: link, State: StateUnknown, Code: a.failure.Error()})
		}
	}
	return filesOf(lines), nil
}

// fileKey is where a link stands in a message.
type fileKey struct{ path, kind string }

// File is what a message refers to, and where its bytes are.
type File struct {
	archive.MediaLine
}

// Stored reports whether its bytes are in the archive.
func (f *File) Stored() bool { return f != nil && f.State == archive.MediaStored }

func filesOf(lines []archive.MediaLine) map[fileKey]*File {
	files := make(map[fileKey]*File, len(lines))
	for _, line := range lines {
		files[fileKey{line.Path, line.Kind}] = &File{line}
	}
	return files
}
