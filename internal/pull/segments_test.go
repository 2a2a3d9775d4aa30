package pull_test

import (
	"testing"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
)

// The first segment is one page, so that even a slow service leaves something to keep. Where the service counts seqs, so
// are all others: little is lost when time runs out.
func TestSegments_AreOnePageLongWhereSeqsAreCounted(t *testing.T) {
	serve(t, chatemu.Quirks{}, 205, plain, func(s *service) {
		all, err := s.segments(1, 205, never)
		if err != nil || len(all) != 11 || s.calls() != 11 {
			s.Errorf("%d segments after %d calls, %v", len(all), s.calls(), err)
		}
	})
}

// Where it counts messages and leaves holes out, pages reach far down, and segments become longer, so that few messages
// are asked for twice.
func TestSegments_BecomeLongerWherePagesReachFurther(t *testing.T) {
	serve(t, chatemu.Quirks{Counting: chatemu.CountMessages, Holes: chatemu.HoleIsOmitted}, 8000, deleted(func(seq chat.Seq) bool { return seq%10 > 0 }), func(s *service) {
		all, err := s.segments(1, 8000, never)
		if err != nil || all[0].Hi != chat.PageSize || len(all) > 60 {
			s.Errorf("%d segments, the first up to %d, %v", len(all), all[0].Hi, err)
		}
	})
}

func TestSegments_NoneIsBegunOnceThereIsEnough(t *testing.T) {
	serve(t, chatemu.Quirks{}, 400, plain, func(s *service) {
		s.page = time.Second
		began := time.Now()
		all, err := s.segments(1, 400, func() bool { return time.Since(began) > 1500*time.Millisecond })
		if err != nil || len(all) != 8 || s.calls() != 8 {
			s.Errorf("%d segments after %d calls, %v; want those that four workers begin in 1.5 s", len(all), s.calls(), err)
		}
	})
}

// What stands whole on pages that were read before is not asked for again; a page that lacks one seq proves nothing.
func TestSegments_PagesReadBeforeAreNotAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lacks chat.Seq // of the page that was read before
		calls int
	}{"whole": {0, 2}, "one seq is missing": {90, 3}, "the newest seq is missing": {100, 3}, "the oldest seq is missing": {81, 3}} {
		each(t, name, chatemu.Quirks{}, 100, plain, func(s *service) {
			first, err := s.reader.Page(s.Context(), 60, chat.PageSize)
			s.must(err)
			newest, err := s.reader.Page(s.Context(), 0, chat.PageSize)
			s.must(err)
			for i := range newest.Elements {
				if newest.Elements[i].Seq == tc.lacks {
					newest.Elements = append(newest.Elements[:i:i], newest.Elements[i+1:]...)
					break
				}
			}
			before := s.calls()
			all, err := s.segments(41, 100, never, newest, first)
			s.must(err)
			if got := s.calls() - before; got != tc.calls-1 {
				s.Errorf("%d calls, want %d", got, tc.calls-1)
			}
			for _, segment := range all {
				if len(segment.Elements) != chat.PageSize {
					s.Errorf("[%d, %d] has %d elements", segment.Lo, segment.Hi, len(segment.Elements))
				}
			}
		})
	}
}
