package demo

import (
	"sync"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
)

// tracker knows which messages have been asked for or are archived, to show progress: every seq once, however often it
// is pulled.
type tracker struct {
	mu   sync.Mutex
	seen map[chat.Stream][]bool // by seq - 1
	done int64
}

func newTracker(c content) *tracker {
	t := &tracker{seen: make(map[chat.Stream][]bool)}
	for _, g := range c.groups {
		t.seen[g.stream] = make([]bool, len(g.messages))
	}
	return t
}

// call sees a call to the Chat emulator. The page without a seq is the newest.
func (t *tracker) call(c chatemu.Call) {
	q := c.Query
	if q.Number <= 0 {
		return
	}
	if !q.HasSeq {
		q.Seq = t.newest(q.Stream)
	}
	t.add(q.Stream, q.Seq-chat.Seq(q.Number)+1, q.Seq)
}

func (t *tracker) newest(s chat.Stream) chat.Seq {
	t.mu.Lock()
	defer t.mu.Unlock()
	return chat.Seq(len(t.seen[s]))
}

func (t *tracker) add(s chat.Stream, lo, hi chat.Seq) {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := t.seen[s]
	for seq := max(lo, 1); seq <= min(hi, chat.Seq(len(seen))); seq++ {
		if !seen[seq-1] {
			seen[seq-1] = true
			t.done++
		}
	}
}

// again forgets everything: messages are asked for once more.
func (t *tracker) again() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, seen := range t.seen {
		clear(seen)
	}
	t.done = 0
}

func (t *tracker) count() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.done
}
