package verify

import (
	"bytes"
	"errors"
	"iter"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

// errEnough ends the reading of a chunk of which nobody wants the rest.
var errEnough = errors.New("enough")

// items finds something in a chunk's lines again, one at a time.
type items[T any] struct {
	seq  func(T) chat.Seq
	stop func()
	next func() (T, bool)
	item T // valid until the next one
	more bool
	bad  bool // the chunk cannot be compared with: it was not read, or is not what it should be
}

// itemsOf begins at the start of a chunk. each yields what a line has, and ends early where that reports false.
func itemsOf[T any](s chat.Stream, e *archive.ChunkEntry, body []byte, seq func(T) chat.Seq, each func(e *chat.Element, yield func(T) bool) bool) *items[T] {
	if body == nil {
		return &items[T]{stop: func() {}, bad: true}
	}
	l := &items[T]{seq: seq}
	l.next, l.stop = iter.Pull(func(yield func(T) bool) {
		_, err := archive.ReadChunk(bytes.NewReader(body), s, e.Lo, e.Hi, func(e chat.Element) error {
			if !each(&e, yield) {
				return errEnough
			}
			return nil
		})
		l.bad = err != nil && !errors.Is(err, errEnough)
	})
	l.pop()
	return l
}

func (l *items[T]) pop() { l.item, l.more = l.next() }

// skip passes those up to a seq.
func (l *items[T]) skip(hi chat.Seq) {
	for !l.bad && l.more && l.seq(l.item) <= hi {
		l.pop()
	}
}
