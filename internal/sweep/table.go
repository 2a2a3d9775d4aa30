package sweep

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"chatexport/internal/chat"
)

// arenaBlock is far above the length of an id. Blocks never move, so growing copies nothing.
const arenaBlock = 64 << 10

// arena keeps ids one behind the other: an id costs its bytes, and the place that keep returns.
type arena struct{ blocks []*strings.Builder }

func (a *arena) keep(id string) uint32 {
	last := len(a.blocks) - 1
	if last < 0 || a.blocks[last].Len()+len(id) > arenaBlock {
		block := new(strings.Builder)
		block.Grow(arenaBlock)
		a.blocks = append(a.blocks, block)
		last++
	}
	at := last*arenaBlock + a.blocks[last].Len()
	a.blocks[last].WriteString(id)
	return uint32(at) //nolint:gosec // 4 GB of ids are more than an app can have
}

// get returns an id without a copy.
func (a *arena) get(at uint32, length uint8) string {
	if length == 0 {
		return ""
	}
	return a.blocks[at/arenaBlock].String()[at%arenaBlock:][:length]
}

// table holds a value for each of many streams in little memory: the ids in one arena, the values beside them.
type table[T any] struct {
	ids  arena
	rows []row[T]
}

type row[T any] struct {
	group, topic             uint32
	groupLength, topicLength uint8
	value                    T
}

// add files a stream, whose ids are valid and so no longer than a length can tell. The topics of a group that are added
// one after the other share its id.
func (t *table[T]) add(s chat.Stream, value T) {
	r := row[T]{groupLength: uint8(len(s.GroupID)), topicLength: uint8(len(s.TopicID)), value: value} //nolint:gosec // see above
	if n := len(t.rows); n > 0 && t.stream(n-1).GroupID == s.GroupID {
		r.group = t.rows[n-1].group
	} else {
		r.group = t.ids.keep(s.GroupID)
	}
	if s.TopicID != "" {
		r.topic = t.ids.keep(s.TopicID)
	}
	t.rows = append(t.rows, r)
}

func (t *table[T]) stream(n int) chat.Stream { return t.streamOf(&t.rows[n]) }

func (t *table[T]) streamOf(r *row[T]) chat.Stream {
	return chat.Stream{GroupID: t.ids.get(r.group, r.groupLength), TopicID: t.ids.get(r.topic, r.topicLength)}
}

func (t *table[T]) sort() {
	slices.SortFunc(t.rows, func(a, b row[T]) int { return compare(t.streamOf(&a), t.streamOf(&b)) })
}

// compare is the order of everything that is merged: a group, then its topics.
func compare(a, b chat.Stream) int {
	return cmp.Or(strings.Compare(a.GroupID, b.GroupID), strings.Compare(a.TopicID, b.TopicID))
}

// match is what a table and a sequence of records have of one stream; one of the two may be nil.
type match[T any] struct {
	stream chat.Stream
	record *record
	value  *T
}

// join goes through a sorted table and records in the same order, none of them twice, and yields every stream once. An
// error of the records ends it.
func join[T any](t *table[T], records iter.Seq2[record, error]) iter.Seq2[match[T], error] {
	return func(yield func(match[T], error) bool) {
		n := 0
		next := func() match[T] {
			m := match[T]{stream: t.stream(n), value: &t.rows[n].value}
			for n++; n < len(t.rows) && t.stream(n) == m.stream; n++ {
				continue // a stream that was filed twice
			}
			return m
		}
		for r, err := range records {
			if err != nil {
				yield(match[T]{}, err)
				return
			}
			stream := r.stream()
			for n < len(t.rows) && compare(t.stream(n), stream) < 0 {
				if !yield(next(), nil) {
					return
				}
			}
			m := match[T]{stream: stream}
			if n < len(t.rows) && t.stream(n) == stream {
				m = next()
			}
			m.record = &r
			if !yield(m, nil) {
				return
			}
		}
		for n < len(t.rows) {
			if !yield(next(), nil) {
				return
			}
		}
	}
}
