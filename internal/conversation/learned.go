package conversation

import (
	"sync"

	"chatexport/internal/chat"
)

const (
	// quarter is the length of what is remembered of times: the offsets of all time zones in use are multiples of it.
	quarter = 15 * 60
	// maxNames bounds how many nicknames are remembered of a conversation.
	maxNames = 100_000
)

// learned is what the reading of chunks told, and is remembered when they are not held any more: it is small.
type learned struct {
	mu       sync.RWMutex
	names    map[string]nick
	quarters map[chunkID]map[int64]int32 // how many rows each quarter of an hour since 1970 has
}

// chunkID tells a chunk from all others of its conversation, and from what once was under its name.
type chunkID struct {
	lo  chat.Seq
	sum string
}

type nick struct {
	name string
	seq  chat.Seq // where it was read: the newest counts
}

func newLearned() *learned {
	return &learned{names: map[string]nick{}, quarters: map[chunkID]map[int64]int32{}}
}

func (l *learned) name(id string) string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.names[id].name
}

func (l *learned) count(id chunkID, quarters map[int64]int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.quarters[id] = quarters
}

func (l *learned) add(names map[string]nick) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for person, n := range names {
		known, ok := l.names[person]
		if !ok && len(l.names) >= maxNames || ok && known.seq > n.seq {
			continue
		}
		l.names[person] = n
	}
}

// of returns the quarters of a chunk, nil if it was not read yet.
func (l *learned) of(id chunkID) map[int64]int32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.quarters[id]
}
