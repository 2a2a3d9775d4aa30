package pull_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/pull"
)

// malformed returns the malformed seqs of segments.
func malformed(segments []pull.Segment) []chat.Seq {
	var seqs []chat.Seq
	for _, segment := range segments {
		for i := range segment.Elements {
			if e := &segment.Elements[i]; e.Malformed {
				seqs = append(seqs, e.Seq)
			}
		}
	}
	return seqs
}

// Of 100,000 messages 0.1 % cannot be read, all over them: that costs 30 % more calls at most.
func TestMalformed_MessagesCostLittle(t *testing.T) {
	t.Parallel()
	n := 100_000
	if testing.Short() {
		n = 20_000
	}
	for _, concurrency := range []int{1, 16} {
		each(t, fmt.Sprint(concurrency), chatemu.Quirks{}, n, plain, func(s *service) {
			s.reader.Concurrency = concurrency
			kinds := chatemu.Poisons()
			var bad []chat.Seq
			for i := range chat.Seq(n) / 1000 {
				seq := i*1000 + i*i%1000 + 1 // anywhere on its page
				bad = append(bad, seq)
				s.must(s.chat.Poison(s.stream, kinds[int(i)%len(kinds)], seq))
			}
			all, err := s.segments(1, chat.Seq(n), never)
			s.must(err)
			if diff := cmp.Diff(bad, malformed(all)); diff != "" {
				s.Errorf("malformed (-want +got):\n%s", diff)
			}
			s.Logf("%d calls", s.calls())
			if most := n / chat.PageSize * 130 / 100; s.calls() > most {
				s.Errorf("%d calls, want at most %d", s.calls(), most)
			}
		})
	}
}

// The good ones come as ever, whatever else the service does, and however many are bad.
func TestMalformed_MessagesHideNoOthers(t *testing.T) {
	t.Parallel()
	for name, quirks := range map[string]chatemu.Quirks{
		"as documented":        {},
		"holes are left out":   {Holes: chatemu.HoleIsOmitted},
		"messages are counted": {Holes: chatemu.HoleIsOmitted, Counting: chatemu.CountMessages},
		"pages are cut":        {PageBytes: 1 << 10, Cut: chatemu.CutNewest},
		"pages are empty once": {EmptyOnceEvery: 1},
	} {
		for every := chat.Seq(2); every <= 64; every *= 2 {
			each(t, fmt.Sprintf("%s, one of %d", name, every), quirks, 400, deleted(between(101, 130)), func(s *service) {
				var bad []chat.Seq
				for seq := every; seq <= 400; seq += every {
					if seq <= 100 || seq > 130 {
						bad = append(bad, seq)
					}
				}
				s.must(s.chat.Poison(s.stream, chatemu.PoisonControl, bad...))
				if quirks.EmptyOnceEvery == 0 {
					s.must(s.chat.Withhold(s.stream, 1, 7, 33, 299, 399))
				}
				segments, err := s.segments(1, 400, never)
				s.must(err)
				got := map[chat.Seq]bool{}
				for _, segment := range segments {
					for _, e := range segment.Elements {
						got[e.Seq] = !e.Malformed || slices.Contains(bad, e.Seq) || between(101, 130)(e.Seq)
					}
				}
				for seq := chat.Seq(1); seq <= 400; seq++ {
					if !got[seq] && (seq <= 100 || seq > 130) {
						s.Errorf("seq %d did not come as it should", seq)
					}
				}
			})
		}
	}
}

// A page that was asked for alone is put together from its pieces, as the search for the beginning needs it.
func TestMalformed_MessagesAreOnThePagesOfASearch(t *testing.T) {
	serve(t, chatemu.Quirks{Expired: chatemu.HoleIsOmitted}, 4000, plain, func(s *service) {
		s.must(s.chat.SetFloor(s.stream, 3001))
		for seq := chat.Seq(3001); seq <= 4000; seq += 2 {
			s.must(s.chat.Poison(s.stream, chatemu.PoisonNoSeq, seq))
		}
		floor, err := s.reader.Floor(s.Context(), pull.Void{From: 1, Known: 20, Head: 4000, End: time.Now().Add(time.Hour)})
		s.must(err)
		if floor.First != 3001 {
			s.Errorf("%+v", floor)
		}
	})
}

// A service of which nothing can be read is not taken for one with bad messages, whether or not something is known to be
// readable, and whenever it breaks.
func TestMalformed_ServiceThatIsBrokenIsNoMessage(t *testing.T) {
	t.Parallel()
	const n = 300
	broken := chatemu.Fault{Quirks: &chatemu.Quirks{MissingSeq: true}}
	for name, before := range map[string]pull.Range{"nothing is known": {}, "something is known": {First: 1, Last: 100}} {
		for _, from := range []int{1, 2, 3, 5, 8, 13, 17} {
			each(t, fmt.Sprintf("%s, from call %d", name, from), chatemu.Quirks{}, n, plain, func(s *service) {
				s.reader.Before = before
				s.must(s.chat.Poison(s.stream, chatemu.PoisonEscape, 110, 150))
				s.chat.SetFault(chatemu.FaultIf(func(c chatemu.Call) bool { return c.N >= from }, broken))
				all, err := s.segments(before.Last+1, n, never)
				bad := malformed(all)
				if !errors.Is(err, chat.ErrMalformed) || !slices.Equal([]chat.Seq{110, 150}[:len(bad)], bad) {
					s.Errorf("%v; malformed %v", err, bad)
				}
				if most := from + 4*2*chat.PageSize + 60; s.calls() > most {
					s.Errorf("%d calls, want at most %d", s.calls(), most)
				}
			})
		}
	}
}

// What is no answer of the API is never a message, even if it comes for one seq alone and again and again.
func TestMalformed_AnswerOfAGatewayIsNoMessage(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]chatemu.Fault{
		"a page with status OK": {HTML: true}, "no JSON": {Body: []byte("null")}, "an empty answer": {Body: []byte("{}")},
		"half of a refusal": {Body: []byte(`{"ActionStatus":"FAIL","ErrorCode":60`)}, "with status 502": {Status: 502, Body: []byte(`{"ActionStatus":"OK","RspMsgList":[{}]}`)},
	} {
		each(t, name, chatemu.Quirks{}, 100, plain, func(s *service) {
			s.chat.SetFault(chatemu.FaultIf(func(c chatemu.Call) bool {
				return c.Query.Seq >= 50 && c.Query.Seq-chat.Seq(c.Query.Number) < 50
			}, f))
			all, err := s.segments(1, 100, never)
			if bad := malformed(all); err == nil || len(bad) > 0 {
				s.Errorf("%v, malformed %v", err, bad)
			}
		})
	}
}
