package chatemu

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
)

// ErrQuirk is wrapped for an axis or a value that does not exist.
var ErrQuirk = errors.New("no such quirk")

// Axis is one quirk by name. Its first value is the default.
type Axis struct {
	Name   string
	Values []string
	set    func(q *Quirks, value int)
}

func axis[T ~int](name string, field func(*Quirks) *T, values ...string) Axis {
	return Axis{Name: name, Values: values, set: func(q *Quirks, v int) { *field(q) = T(v) }}
}

// count is an axis whose values are numbers.
func count(name string, field func(*Quirks) *int, values ...int) Axis {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = fmt.Sprint(v)
	}
	return Axis{Name: name, Values: names, set: func(q *Quirks, v int) { *field(q) = values[v] }}
}

func toggle(name string, field func(*Quirks) *bool) Axis {
	return Axis{Name: name, Values: []string{"off", "on"}, set: func(q *Quirks, v int) { *field(q) = v == 1 }}
}

// Readings are the axes in which the service may be as it is described, all of them at once: rules 9 to 14. A client
// must read every message right whatever combination it meets.
func Readings() []Axis {
	return []Axis{
		axis("counting", func(q *Quirks) *Counting { return &q.Counting }, "seqs", "messages"),
		axis("seq-zero", func(q *Quirks) *SeqZero { return &q.SeqZero }, "newest", "empty", "refused"),
		axis("above-newest", func(q *Quirks) *AboveNewest { return &q.AboveNewest }, "clamped", "empty"),
		axis("recalled", func(q *Quirks) *RecalledBody { return &q.Recalled }, "body-kept", "body-empty"),
		axis("recalled-default", func(q *Quirks) *RecalledDefault { return &q.RecalledDefault }, "hole", "marked", "omitted"),
		toggle("recalled-ignored", func(q *Quirks) *bool { return &q.RecalledIgnored }),
		axis("expired", func(q *Quirks) *HoleShape { return &q.Expired }, "placeholder", "omitted"),
		axis("holes", func(q *Quirks) *HoleShape { return &q.Holes }, "placeholder", "omitted"),
		axis("late", func(q *Quirks) *HoleShape { return &q.Late }, "placeholder", "omitted"),
		axis("place-body", func(q *Quirks) *PlaceBody { return &q.PlaceBody }, "empty", "absent", "null"),
		axis("place-from", func(q *Quirks) *PlaceFrom { return &q.PlaceFrom }, "empty", "absent"),
		axis("place-time", func(q *Quirks) *PlaceTime { return &q.PlaceTime }, "zero", "original", "absent"),
		axis("empty-list", func(q *Quirks) *EmptyList { return &q.EmptyList }, "absent", "null", "empty"),
		count("page-bytes", func(q *Quirks) *int { return &q.PageBytes }, 0, 8<<10, 1<<10),
		axis("cut", func(q *Quirks) *Cut { return &q.Cut }, "oldest", "newest"),
		axis("finished", func(q *Quirks) *Finished { return &q.Finished }, "below", "window", "never", "at-one", "despite-cut"),
		toggle("finished-omitted", func(q *Quirks) *bool { return &q.FinishedOmitted }),
		toggle("next-seq", func(q *Quirks) *bool { return &q.NextSeq }),
		axis("large-number", func(q *Quirks) *LargeNumber { return &q.LargeNumber }, "twenty", "refused"),
		axis("avchatroom", func(q *Quirks) *AVChatRoom { return &q.AVChatRoom }, "parameter", "permission", "empty"),
		axis("unknown-group", func(q *Quirks) *UnknownGroup { return &q.UnknownGroup }, "gone", "bad"),
		axis("unknown-topic", func(q *Quirks) *UnknownTopic { return &q.UnknownTopic }, "gone", "deleted"),
		axis("list-end", func(q *Quirks) *ListEnd { return &q.ListEnd }, "zero", "omitted"),
		toggle("content-type", func(q *Quirks) *bool { return &q.ContentType }),
		count("pretty-every", func(q *Quirks) *int { return &q.PrettyEvery }, 0, 3, 1),
		toggle("shuffle-keys", func(q *Quirks) *bool { return &q.ShuffleKeys }),
		count("close-after", func(q *Quirks) *int { return &q.CloseAfter }, 0, 5, 1),
	}
}

// Violations are the axes in which the service breaks its protocol, but so that a careful client still gets
// everything. IgnoreSeq, SeqAsString and MissingSeq are not among them: they are fields of Quirks only.
func Violations() []Axis {
	return []Axis{
		count("invalid-utf8-every", func(q *Quirks) *int { return &q.InvalidUTF8Every }, 0, 7),
		toggle("unsorted", func(q *Quirks) *bool { return &q.Unsorted }),
		toggle("duplicate", func(q *Quirks) *bool { return &q.Duplicate }),
		toggle("below-window", func(q *Quirks) *bool { return &q.BelowWindow }),
		toggle("above-window", func(q *Quirks) *bool { return &q.AboveWindow }),
		count("overlap", func(q *Quirks) *int { return &q.Overlap }, 0, 1, 5),
		count("empty-once-every", func(q *Quirks) *int { return &q.EmptyOnceEvery }, 0, 3, 1),
	}
}

// Set sets one quirk by the names of its axis and value.
func (q *Quirks) Set(name, value string) error {
	for _, a := range append(Readings(), Violations()...) {
		if a.Name != name {
			continue
		}
		for i, v := range a.Values {
			if v == value {
				a.set(q, i)
				return nil
			}
		}
		return fmt.Errorf("%w: %s=%s, values are %v", ErrQuirk, name, value, a.Values)
	}
	return fmt.Errorf("%w: %s", ErrQuirk, name)
}

// Each yields every value of every axis alone, the defaults left out, named "axis=value".
func Each(axes []Axis) iter.Seq2[string, Quirks] {
	return func(yield func(string, Quirks) bool) {
		for _, a := range axes {
			for i, value := range a.Values {
				var q Quirks
				a.set(&q, i)
				if i > 0 && !yield(a.Name+"="+value, q) {
					return
				}
			}
		}
	}
}

// Sample returns n combinations of the axes' values, the same ones for the same seed.
func Sample(axes []Axis, seed uint64, n int) []Quirks {
	r := rand.New(rand.NewPCG(seed, 0))
	sample := make([]Quirks, n)
	for i := range sample {
		for _, a := range axes {
			a.set(&sample[i], r.IntN(len(a.Values)))
		}
	}
	return sample
}
