package chatemu

import (
	"encoding/json"
	"slices"
	"time"

	"chatexport/internal/chat"
)

// Kind is what became of a message.
type Kind uint8

// The kinds of messages (rule 6).
const (
	KindNormal Kind = iota
	KindSystem
	KindRecalled
	KindDeleted
	KindStoreFail // took a seq and was never stored, as an online-only message may be
)

// Message is a message before it has a seq.
type Message struct {
	Kind            Kind
	From            string // empty: "@TIM#SYSTEM" for KindSystem, "user1" otherwise
	Time            int64  // seconds since 1970; 0 counts up from the stream's last
	Body            json.RawMessage
	Priority        int    // 1 to 4; 0 means 2, for KindSystem 3
	Random          uint32 // 0 means one that follows from the seq
	CloudCustomData string
	Extra           json.RawMessage // an object whose members are added at the end

	// Element is the whole element as it is sent, MsgSeq included; everything above but Kind and Time is ignored.
	Element json.RawMessage

	// A message may have its seq before it can be seen: for so long, or for so many pages of its stream, after Append.
	HideFor   time.Duration
	HidePages int
}

// entry is a stored message. A group of some 100,000 messages is one slice of entries and some blocks of bytes.
type entry struct {
	element []byte // as if it were normal or a system message; nil for one that was never stored
	time    int64
	kind    Kind
}

// run is a range of seqs, either stored or made on demand.
type run struct {
	lo, hi chat.Seq
	stored []entry
	make   func(chat.Seq) Message
}

// hiding is a message that cannot be seen yet.
type hiding struct {
	until time.Time
	pages int // of the stream, counted from its beginning
}

// stream is one seq space. Seqs below base have expired and cost nothing.
type stream struct {
	name       string // of the topic
	id         chat.Stream
	createTime int64

	base, next, floor chat.Seq
	runs              []run
	changed           map[chat.Seq]entry // messages of made runs that were changed since
	late              map[chat.Seq]hiding
	emptied           map[chat.Seq]bool // pages that were empty once
	poison            map[chat.Seq]Poison
	withheld          map[chat.Seq]int // from so many answers more
	pages             int
	lastTime          int64
	blocks            blocks
}

func newStream(id chat.Stream, createTime int64, first chat.Seq) *stream {
	first = max(first, 1)
	return &stream{id: id, createTime: createTime, base: first, next: first, floor: first, lastTime: createTime}
}

// newest returns the newest seq, 0 for an empty stream.
func (st *stream) newest() chat.Seq { return st.next - 1 }

func (st *stream) append(m *Message, now time.Time) {
	seq := st.next
	if m.Time == 0 {
		m.Time = st.lastTime + 1
	}
	e := newEntry(m, seq)
	e.element = st.blocks.keep(e.element)
	if n := len(st.runs); n == 0 || st.runs[n-1].make != nil {
		st.runs = append(st.runs, run{lo: seq})
	}
	r := &st.runs[len(st.runs)-1]
	r.stored, r.hi = append(r.stored, e), seq
	if m.HideFor > 0 || m.HidePages > 0 {
		if st.late == nil {
			st.late = make(map[chat.Seq]hiding)
		}
		st.late[seq] = hiding{until: now.Add(m.HideFor), pages: st.pages + m.HidePages}
	}
	st.next, st.lastTime = seq+1, m.Time
}

func (st *stream) generate(count chat.Seq, f func(chat.Seq) Message) {
	lo, hi := st.next, st.next+count-1
	st.runs = append(st.runs, run{lo: lo, hi: hi, make: f})
	st.next = hi + 1
	st.lastTime = max(st.lastTime, st.at(hi).time)
}

// at returns the message of a seq; the zero entry for one below base.
func (st *stream) at(seq chat.Seq) entry {
	if e, ok := st.changed[seq]; ok {
		return e
	}
	i, found := slices.BinarySearchFunc(st.runs, seq, func(r run, seq chat.Seq) int {
		switch {
		case r.hi < seq:
			return -1
		case r.lo > seq:
			return 1
		default:
			return 0
		}
	})
	if !found {
		return entry{}
	}
	r := &st.runs[i]
	if r.make == nil {
		return r.stored[seq-r.lo]
	}
	m := r.make(seq)
	if m.Time == 0 {
		m.Time = st.createTime + int64(seq)
	}
	return newEntry(&m, seq)
}

// change replaces the message of an existing seq.
func (st *stream) change(seq chat.Seq, e entry) {
	for i := range st.runs {
		if r := &st.runs[i]; r.lo <= seq && seq <= r.hi && r.make == nil {
			r.stored[seq-r.lo] = e
			return
		}
	}
	if st.changed == nil {
		st.changed = make(map[chat.Seq]entry)
	}
	st.changed[seq] = e
}

// hidden reports whether a message cannot be seen yet.
func (st *stream) hidden(seq chat.Seq, now time.Time) bool {
	h, ok := st.late[seq]
	if !ok {
		return false
	}
	if now.Before(h.until) || st.pages <= h.pages {
		return true
	}
	delete(st.late, seq)
	return false
}

// blocks keeps many small byte slices in few big ones.
type blocks struct{ free []byte }

const maxBlock = 256 << 10

func (b *blocks) keep(value []byte) []byte {
	if len(value) == 0 {
		return nil
	}
	if len(value) > cap(b.free)-len(b.free) {
		size := min(max(2*cap(b.free), 1<<10), maxBlock)
		b.free = make([]byte, 0, max(size, len(value)))
	}
	start := len(b.free)
	b.free = append(b.free, value...)
	return b.free[start:len(b.free):len(b.free)]
}
