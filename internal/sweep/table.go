package sweep

import (
	"cmp"
	"iter"
	"strings"

	"chatexport/internal/chat"
)

// compare is the order of everything that is merged: a group, then its topics.
func compare(a, b chat.Stream) int {
	return cmp.Or(strings.Compare(a.GroupID, b.GroupID), strings.Compare(a.TopicID, b.TopicID))
}

// match is what sorted values and a sequence of records have of one stream; one of the two may be nil.
type match[T any] struct {
	stream chat.Stream
	record *record
	value  *T
}

// join goes through sorted values and records in the same order, no record twice, and yields every stream once; of several values
// of one stream the first counts. An error of the records ends it.
func join[T any](values []T, of func(*T) chat.Stream, records iter.Seq2[record, error]) iter.Seq2[match[T], error] {
	return func(yield func(match[T], error) bool) {
		next, stop := iter.Pull2(records)
		defer stop()
		r, err, more := next()
		for n := 0; more || n < len(values); {
			if err != nil {
				yield(match[T]{}, err)
				return
			}
			var m match[T]
			order := 1 // of the value's stream and the record's
			if n < len(values) {
				m.stream, order = of(&values[n]), -1
				if more {
					order = compare(m.stream, r.Stream)
				}
			}
			if order <= 0 {
				m.value = &values[n]
				for n++; n < len(values) && of(&values[n]) == m.stream; n++ {
					continue
				}
			}
			if order >= 0 {
				known := r
				m.stream, m.record = r.Stream, &known
				r, err, more = next()
			}
			if !yield(m, nil) {
				return
			}
		}
	}
}
