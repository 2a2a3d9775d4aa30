package verify_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/verify"
)

// service is what Chat holds of the test stream: each seq with what the service would send for it.
type service struct {
	t       *testing.T
	holds   map[chat.Seq]string
	spoiled map[chat.Seq]bool // what cannot be read, nor can a page with it
	err     error
	asked   map[chat.Seq]int
}

// holding is a service with all of [lo, hi] that the sound archive has.
func holding(t *testing.T, lo, hi chat.Seq) *service {
	t.Helper()
	s := &service{t: t, holds: map[chat.Seq]string{}, spoiled: map[chat.Seq]bool{}, asked: map[chat.Seq]int{}}
	for seq := lo; seq <= hi; seq++ {
		if raw, ok := message(seq); ok && (seq < 46 || seq > 60) {
			s.holds[seq] = raw
		}
	}
	return s
}

func (s *service) Page(_ context.Context, q chat.Query) (chat.Page, error) {
	var page chat.Page
	var spoiled bool
	for seq := q.Seq; seq > q.Seq-chat.Seq(q.Number); seq-- {
		spoiled = spoiled || s.spoiled[seq]
		if raw, ok := s.holds[seq]; ok {
			page.Elements = append(page.Elements, archivetest.Elements(s.t, raw)...)
		}
	}
	switch {
	case s.err != nil:
		return chat.Page{}, s.err
	case spoiled:
		return chat.Page{}, fmt.Errorf("read a page: %w", &chat.MalformedError{Answer: []byte("{")})
	}
	for i := range q.Number {
		s.asked[q.Seq-chat.Seq(i)]++
	}
	return page, nil
}

func compared(t *testing.T, store *memStore, source *service, pages int) verify.SourceReport {
	t.Helper()
	report, err := verify.CompareSource(t.Context(), store, source, group(), pages)
	if err != nil {
		t.Fatal(err)
	}
	for seq, n := range source.asked {
		if n > 1 {
			t.Errorf("seq %d is asked for %d times", seq, n)
		}
	}
	return report
}

func TestSource_NothingIsCountedTwice(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	sound(t, store, group())
	for pages, want := range map[int]verify.SourceReport{
		1:     {Pages: 4, Equal: 64}, // the newest, and those with absent seqs: all but [41, 60]
		2:     {Pages: 5, Equal: 68},
		10000: {Pages: 5, Equal: 68},
	} {
		got := compared(t, store, holding(t, 1, 100), pages)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d pages (-want +got):\n%s", pages, diff)
		}
	}
}

func TestSource_GapsAreAlwaysAskedFor(t *testing.T) {
	t.Parallel()
	const last = 3000
	var elements []chat.Element
	source := holding(t, 1, 0)
	for seq := chat.Seq(1); seq <= last; seq++ {
		source.holds[seq] = fmt.Sprintf(`{"MsgSeq":%d}`, seq)
		switch {
		case 701 <= seq && seq <= 703: // absent
		case seq == 2501:
			elements = append(elements, chat.NewMalformed(seq, []byte(`{"MsgSeq":`)))
		default:
			elements = append(elements, archivetest.Elements(t, source.holds[seq])...)
		}
	}
	store := newMemStore()
	b := build(t, store, group(), 1)
	b.Chunk(2000, elements[:1997]...)
	b.Chunk(last, elements[1997:]...)
	for range 10 {
		got := compared(t, store, source, 1)
		want := verify.SourceReport{Pages: 3, Equal: 56, Missing: 4, Seqs: []chat.Seq{703, 702, 701, 2501}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		clear(source.asked)
	}
	for range 10 {
		if got := compared(t, store, source, 7); got.Pages != 9 || got.Equal != 9*20-4 {
			t.Errorf("beside them 7 pages are sampled: %+v", got)
		}
		clear(source.asked)
	}
}

func TestSource_MessageThatCannotBeReadTakesNoOthersAlong(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	sound(t, store, group())
	source := holding(t, 61, 100)
	source.spoiled[72], source.spoiled[99] = true, true
	got := compared(t, store, source, 5)
	got.Pages = 0 // how often it is halved is not the question
	if diff := cmp.Diff(verify.SourceReport{Equal: 30, Expired: 36, Unreadable: 2}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Where no answer at all can be read, it is the service that fails; an answer that is none of the API is its failure, too.
func TestSource_ThatAnswersNothingReadableFails(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	sound(t, store, group())
	source := holding(t, 1, 100)
	for seq := chat.Seq(1); seq <= 100; seq++ {
		source.spoiled[seq] = true
	}
	for name, err := range map[string]error{"spoiled": nil, "an HTML page": &chat.MalformedError{}} {
		source.err = err
		if _, err := verify.CompareSource(t.Context(), store, source, group(), 5); !errors.Is(err, chat.ErrMalformed) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestSource_DamagedChunkIsAFindingAndOthersAreCompared(t *testing.T) {
	t.Parallel()
	key := layout.Chunk(group(), 81)
	for name, tt := range map[string]struct {
		harm func(b *builder)
		want verify.Kind
	}{
		"other bytes": {func(b *builder) { b.edit(key, func(body []byte) []byte { body[30] ^= 1; return body }) }, verify.KindHash},
		"corrupt": {func(b *builder) {
			b.store.onRead = func(read string) error {
				if read == key && b.store.reads[key] > 1 { // only a GET reads the bytes
					return fmt.Errorf("get %s: %w", read, objstore.ErrCorrupt)
				}
				return nil
			}
		}, verify.KindCRC},
	} {
		store := newMemStore()
		tt.harm(sound(t, store, group()))
		got := compared(t, store, holding(t, 1, 100), 5)
		if len(got.Damaged) != 1 || got.Damaged[0].Kind != tt.want || got.Damaged[0].Key != key || !got.Same() || got.Equal != 60 {
			t.Errorf("%s: %+v, damaged %v", name, got, got.Damaged)
		}
	}
}

func TestSource_StreamThatIsGoneIsNoFailure(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	sound(t, store, group())
	source := holding(t, 1, 100)
	source.err = fmt.Errorf("asked: %w", chat.ErrGone)
	if got := compared(t, store, source, 5); !got.Gone || !got.Same() {
		t.Errorf("%+v", got)
	}
}
