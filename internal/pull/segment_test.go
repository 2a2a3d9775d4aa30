package pull_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/pull"
)

// attempts is how often a page that is no answer is asked for.
const attempts = 6

func TestSegment_SeqsThatDidNotComeAreAskedForAgain(t *testing.T) {
	serve(t, chatemu.Quirks{EmptyOnceEvery: 1}, 200, plain, func(s *service) {
		segment, err := s.reader.Segment(s.Context(), 1, 200)
		if err != nil || len(segment.Elements) != 200 {
			s.Errorf("%d of 200 came, %v", len(segment.Elements), err)
		}
	})
}

func TestSegment_IsSplitBehindASeq(t *testing.T) {
	serve(t, chatemu.Quirks{Holes: chatemu.HoleIsOmitted}, 40, deleted(between(11, 25)), func(s *service) {
		segment, err := s.reader.Segment(s.Context(), 1, 40)
		s.must(err)
		left, right := segment.Split(20)
		if left.Lo != 1 || left.Hi != 20 || len(left.Elements) != 10 || right.Lo != 21 || right.Hi != 40 || len(right.Elements) != 15 {
			s.Errorf("[%d, %d] with %d and [%d, %d] with %d", left.Lo, left.Hi, len(left.Elements), right.Lo, right.Hi, len(right.Elements))
		}
	})
}

// Seqs that a service leaves out are asked for by windows of a page, not one by one.
func TestSegment_SeqsThatAreLeftOutCostLittle(t *testing.T) {
	t.Parallel()
	const n = 4000
	for name, hole := range map[string]func(chat.Seq) bool{
		"every second": func(seq chat.Seq) bool { return seq%2 == 0 },
		"nine of ten":  func(seq chat.Seq) bool { return seq%10 > 0 },
		"in pairs":     func(seq chat.Seq) bool { return seq%4 < 2 },
		"at random":    func(seq chat.Seq) bool { return rand.New(rand.NewPCG(1, uint64(seq))).IntN(2) == 0 },
	} {
		for counting, count := range map[string]chatemu.Counting{"seqs": chatemu.CountSeqs, "messages": chatemu.CountMessages} {
			each(t, name+", "+counting, chatemu.Quirks{Holes: chatemu.HoleIsOmitted, Counting: count}, n, deleted(hole), func(s *service) {
				s.exact(n)
				if most := 3 * n / chat.PageSize; s.calls() > most {
					s.Errorf("%d calls, want at most %d", s.calls(), most)
				}
			})
		}
	}
}

// Elements from below what was asked for, and elements that come twice, fill pages that were cut: how full a page is
// must not decide what is absent.
func TestSegment_PagesThatAreCutAndFilledUpHideNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(25) {
		each(t, fmt.Sprint("seed ", seed), chatemu.Quirks{
			Counting: chatemu.CountMessages, Holes: chatemu.HoleIsOmitted, PageBytes: 600, Cut: chatemu.CutNewest,
			BelowWindow: true, Duplicate: true, EmptyOnceEvery: 3,
		}, 200, deleted(func(seq chat.Seq) bool { return rand.New(rand.NewPCG(seed, uint64(seq))).IntN(3) > 0 }), func(s *service) {
			s.exact(200)
		})
	}
}

// A page above the service's size limit is asked for in smaller pieces.
func TestSegment_PagesThatAreTooLargeAreAskedForInPieces(t *testing.T) {
	serve(t, chatemu.Quirks{}, 205, chatemu.Varied, func(s *service) {
		s.chat.SetFault(chatemu.FaultIf(func(c chatemu.Call) bool { return c.Query.Number > 3 && c.Query.Seq < 150 }, chatemu.Fault{ErrorCode: 10018}))
		s.exact(205)
		if s.chat.Counters().Codes[10018] == 0 {
			s.Error("no page was too large")
		}
	})
}

// A service that does not answer what was asked is an error, and never a loop: nothing is concluded from its answers.
func TestSegment_AnswersToAnotherQuestionAreAnErrorAndNoLoop(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		quirks chatemu.Quirks
		want   error
		calls  int
	}{
		"ReqMsgSeq is ignored": {chatemu.Quirks{IgnoreSeq: true}, pull.ErrProtocol, attempts},
		// Each of the 20 seqs of a page is asked for in its turn, and some beside it.
		"an element has no seq": {chatemu.Quirks{MissingSeq: true}, chat.ErrMalformed, 60},
	} {
		each(t, name, tc.quirks, 205, plain, func(s *service) {
			if _, err := s.reader.Segment(s.Context(), 1, 100); !errors.Is(err, tc.want) || s.calls() > tc.calls {
				s.Errorf("%v after %d calls", err, s.calls())
			}
			if all, err := s.segments(1, 100, never); !errors.Is(err, tc.want) || len(all) > 0 {
				s.Errorf("%d segments came, then %v", len(all), err)
			}
		})
	}
}

// Answers that are broken now and then cost retries and nothing else.
func TestSegment_BrokenAnswersNowAndThenLoseNothing(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]chatemu.Fault{
		"element without seq":   {Quirks: &chatemu.Quirks{MissingSeq: true}},
		"ReqMsgSeq ignored":     {Quirks: &chatemu.Quirks{IgnoreSeq: true}},
		"half an answer":        {TruncateBody: true},
		"a broken answer":       {BreakBody: true},
		"a gateway's page":      {HTML: true, Status: 502},
		"a page with status OK": {HTML: true},
		"a reset":               {ResetAfter: true},
		"busy":                  {ErrorCode: 10002},
		"too fast":              {ErrorCode: 60007},
		"no JSON":               {Body: []byte("null")},
		"an empty answer":       {Body: []byte("{}")},
	} {
		each(t, name, chatemu.Quirks{}, 505, chatemu.Varied, func(s *service) {
			s.chat.SetFault(chatemu.FaultEvery(5, f))
			s.exact(505)
			if counts := s.reader.Caller.Counts(); counts.Retries == 0 || counts.Calls < s.reader.Pages()+counts.Retries {
				s.Errorf("%+v for %d pages", counts, s.reader.Pages())
			}
		})
	}
}
