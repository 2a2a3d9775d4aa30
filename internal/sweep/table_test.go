package sweep

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
)

// A million known idle groups, one in a thousand of which has something new, take no more than their ids and a few numbers.
// Not parallel: it measures the memory of the process.
func TestMerge_AMillionGroupsFitIntoASmallFunction(t *testing.T) { //nolint:paralleltest // see above
	groups, most := 1_000_000, uint64(256<<20)
	if testing.Short() {
		groups, most = 100_000, 32<<20
	}
	id := func(n int) string { return fmt.Sprintf("@TGS#%08dABCDEF", n) }
	runtime.GC()
	before := inUse()
	// The function's limit is three quarters of its memory.
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(int64(before + most*3/4)))
	seen := newSnapshot()
	for n := range groups { // 7 is prime to them: they come in another order than they are merged in
		line := group(id(n*7%groups), 10, hours(-9))
		if n*7%1000 == 0 {
			line.NextSeq = 11
		}
		if seen.groups.fresh(line.GroupID) {
			seen.take(&line)
		}
	}
	seen.complete()
	var peak uint64
	known := func(yield func(record, error) bool) {
		for n := range groups {
			if n%(groups/50) == 0 {
				peak = max(peak, inUse()-before)
			}
			if !yield(record{Stream: chat.Stream{GroupID: id(n)}, Type: "Public", Frontier: 10, CreateTime: 1, Since: hours(-3)}, nil) {
				return
			}
		}
	}
	p := &planner{now: noon(), retention: week, rate: 100}
	remembered := 0
	for _, err := range p.plan(seen, known) {
		if err != nil {
			t.Fatal(err)
		}
		remembered++
	}
	if want := (Streams{Due: groups / 1000, Idle: groups - groups/1000}); p.streams != want || remembered != groups || len(p.items) != want.Due {
		t.Errorf("%+v, %d remembered, %d items", p.streams, remembered, len(p.items))
	}
	if peak > most {
		t.Errorf("%d MB", peak>>20)
	}
	each := held(seen, groups)
	if each > 90 {
		t.Errorf("%d bytes are held of each group", each)
	}
	t.Logf("%d groups: %d MB at most, %d bytes each are held", groups, peak>>20, each)
}

// inUse is the memory that the process has from the system for its heap.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// held returns what a snapshot takes for each group once what was needed to fill it is gone.
func held(s *snapshot, groups int) uint64 {
	runtime.GC()
	with := inUse()
	s.streams = nil
	runtime.GC()
	return (with - inUse()) / uint64(groups)
}

// The merge yields what two maps would, in order, whatever is in either.
func TestMerge_YieldsEveryStreamOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		stream := func() chat.Stream {
			s := chat.Stream{GroupID: fmt.Sprint("g", random.IntN(30))}
			if n := random.IntN(4); n > 0 {
				s.TopicID = fmt.Sprint("t", n)
			}
			return s
		}
		var seen []chat.Stream
		want := map[chat.Stream][2]bool{}
		var known []record
		for range random.IntN(80) {
			s := stream()
			if has := want[s]; random.IntN(2) == 0 {
				seen = append(seen, s)
				want[s] = [2]bool{true, has[1]}
			} else if !has[1] {
				known = append(known, record{Stream: s})
				want[s] = [2]bool{has[0], true}
			}
		}
		slices.SortFunc(seen, compare)
		got, last := map[chat.Stream][2]bool{}, chat.Stream{}
		for m, err := range join(seen, func(s *chat.Stream) chat.Stream { return *s }, inOrder(known)) {
			if err != nil || compare(last, m.stream) >= 0 || m.record != nil && m.record.Stream != m.stream {
				t.Fatalf("seed %d: %+v behind %+v, %v", seed, m, last, err)
			}
			last, got[m.stream] = m.stream, [2]bool{m.value != nil, m.record != nil}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

func TestMerge_EndsAtAnError(t *testing.T) {
	t.Parallel()
	failure := errors.New("no access")
	known := func(yield func(record, error) bool) {
		_ = yield(record{Stream: chat.Stream{GroupID: "a"}}, nil) && yield(record{}, failure)
	}
	done := []*record{{Stream: chat.Stream{GroupID: "b"}}}
	for name, records := range map[string]iter.Seq2[record, error]{
		"learned": learned(known, done), "plan": (&planner{now: noon()}).plan(newSnapshot(), known),
	} {
		var got error
		for _, err := range records {
			got = err
		}
		if !errors.Is(got, failure) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
