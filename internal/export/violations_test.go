package export_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
)

// maxAttempts is how often a page that is no answer is asked for.
const maxAttempts = 6

// A service that does not answer what was asked is an error, and never a loop: nothing is concluded from its answers.
func TestAnswersToAnotherQuestionAreAnErrorAndNoLoop(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		quirks chatemu.Quirks
		code   string
		want   error
	}{
		"ReqMsgSeq is ignored":  {chatemu.Quirks{IgnoreSeq: true}, "protocol", nil},
		"an element has no seq": {chatemu.Quirks{MissingSeq: true}, "malformed_page", chat.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, chatemu.Quirks{})
			fresh, begun := addGroup(t, w, "fresh", 1, 205, plain), addGroup(t, w, "begun", 1, 100, plain)
			w.Tick(begun)
			must(t, w.Chat.Generate(begun, 205, plain))
			before := snapshot(t, w)
			for _, s := range []chat.Stream{fresh, begun} {
				w.Chat.SetQuirks(tc.quirks)
				made := w.Chat.Counters().Calls
				_, err := invoke(t, w, w.Instance(), s)
				made = w.Chat.Counters().Calls - made
				w.Chat.SetQuirks(chatemu.Quirks{})
				if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
					t.Errorf("%s: the invocation ended with %v", s, err)
				}
				// Each of the pages that are asked for side by side (CHAT_CONCURRENCY) may be refused by itself.
				if most := 2 + maxAttempts*16; made > most {
					t.Errorf("%s: %d calls, want at most %d", s, made, most)
				}
				if got := state(t, w, s); got.Status == archive.StatusComplete && s == fresh || got.Error == nil || got.Error.Code != tc.code || got.Lease != nil {
					t.Errorf("%s: state %+v, error %+v, want code %q and no lease", s, got, got.Error, tc.code)
				}
				unchangedBelow(t, w, before)
				w.Tick(s)
				proved(t, w, s)
				before = snapshot(t, w)
			}
		})
	}
}

// unchangedBelow proves that what was there is still there, whatever came beside it.
func unchangedBelow(t *testing.T, w *world.World, before map[string]string) {
	t.Helper()
	after := snapshot(t, w)
	for key, was := range before {
		if after[key] != was {
			t.Errorf("%s was changed", key)
		}
	}
}

func TestSeqsThatAreStringsAreRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, chatemu.Quirks{SeqAsString: true})
	s := addGroup(t, w, "g", 1, 205, chatemu.Varied)
	w.Tick(s)
	if report := proved(t, w, s); report.Hi != 205 || report.Totals.Absent != 0 {
		t.Errorf("archived up to %d, %+v", report.Hi, report.Totals)
	}
}

// Answers that are broken now and then cost retries and nothing else.
func TestBrokenAnswersNowAndThenLoseNothing(t *testing.T) {
	t.Parallel()
	page := func(f chatemu.Fault) chatemu.FaultFunc {
		return func(c chatemu.Call) *chatemu.Fault {
			if c.N%9 == 5 {
				return &f
			}
			return nil
		}
	}
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
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, chatemu.Quirks{})
			s := addGroup(t, w, "g", 1, 505, chatemu.Varied)
			w.Chat.SetFault(page(f))
			w.Tick(s)
			w.Chat.SetFault(nil)
			if report := proved(t, w, s); report.Hi != 505 || report.Totals.Absent != 0 {
				t.Errorf("archived up to %d, %+v", report.Hi, report.Totals)
			}
		})
	}
}

// A page above the service's size limit is asked for in smaller pieces.
func TestPagesThatAreTooLargeAreAskedForInPieces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, chatemu.Quirks{})
	s := addGroup(t, w, "g", 1, 205, chatemu.Varied)
	w.Chat.SetFault(func(c chatemu.Call) *chatemu.Fault {
		if c.Query.HasSeq && c.Query.Number > 3 && c.Query.Seq < 150 {
			return &chatemu.Fault{ErrorCode: 10018}
		}
		return nil
	})
	w.Tick(s)
	w.Chat.SetFault(nil)
	proved(t, w, s)
	if !strings.Contains(fmt.Sprint(w.Chat.Counters().Codes), "10018") {
		t.Error("no page was too large")
	}
}

// Elements from below what was asked for, and elements that come twice, fill pages that were cut: how full a page is
// must not decide what is absent.
func TestPagesThatAreCutAndFilledUpHideNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, chatemu.Quirks{
		Counting: chatemu.CountMessages, Holes: chatemu.HoleIsOmitted, PageBytes: 1 << 10, Cut: chatemu.CutNewest,
		BelowWindow: true, Duplicate: true, EmptyOnceEvery: 3,
	})
	var streams []chat.Stream
	for i := range 25 {
		streams = append(streams, addGroup(t, w, fmt.Sprintf("g%d", i), 1, 200, func(seq chat.Seq) chatemu.Message {
			if rand.New(rand.NewPCG(uint64(i), uint64(seq))).IntN(3) > 0 {
				return chatemu.Message{Kind: chatemu.KindDeleted}
			}
			return plain(seq)
		}))
	}
	w.Tick(streams...)
	for _, s := range streams {
		proved(t, w, s)
	}
}
