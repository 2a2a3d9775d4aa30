package export_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/export"
)

// listed are the seqs of [lo, hi].
func listed(lo, hi chat.Seq) []chat.Seq {
	var seqs []chat.Seq
	for seq := lo; seq <= hi; seq++ {
		seqs = append(seqs, seq)
	}
	return seqs
}

// spoiled is whole for an archive of which so many messages cannot be read, and none is missing.
func (s *scene) spoiled(malformed int) {
	s.Helper()
	if counts := s.whole().Totals.Counts; counts.Malformed != int64(malformed) || counts.Absent != 0 {
		s.Errorf("%+v, want %d malformed and none absent", counts, malformed)
	}
}

// runs finishes a run, no batch of which may fail.
func (s *scene) runs() {
	s.Helper()
	if _, batches, failed := s.through(turn{}); failed > 0 {
		s.Errorf("%d of %d batches failed", failed, batches)
	}
}

// Whatever is wrong with a message, and wherever it is, the others are archived as ever, and it is malformed.
func TestMalformed_MessageStopsNothingAndTakesNobodyAlong(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]struct{ first, later []chat.Seq }{ // of 105, and of 40 more that come later
		"first":            {listed(1, 1), listed(106, 106)},
		"last":             {listed(105, 105), listed(145, 145)},
		"middle":           {listed(50, 50), listed(125, 125)},
		"several":          {[]chat.Seq{41, 43, 44, 60}, []chat.Seq{106, 107, 124, 126}},
		"newest page":      {[]chat.Seq{86, 99, 105}, []chat.Seq{126, 144, 145}},
		"a whole page":     {listed(41, 60), listed(106, 125)},
		"the first twenty": {listed(1, 20), nil},
		"the last forty":   {listed(66, 105), listed(106, 145)},
		"both ends":        {[]chat.Seq{1, 105}, []chat.Seq{106, 145}},
		"nearly all":       {listed(2, 105), listed(106, 145)},
	} {
		for n, kind := range chatemu.Poisons() {
			if testing.Short() && n%4 != len(name)%4 {
				continue // every place and every kind, but not with each other
			}
			act(t, fmt.Sprintf("%s, %s", kind, name), 105, func(s *scene) {
				s.must(s.chat.Poison(s.stream, kind, bad.first...))
				s.runs()
				s.spoiled(len(bad.first))
				s.grow(old(40)...)
				s.must(s.chat.Poison(s.stream, kind, bad.later...))
				s.runs()
				s.spoiled(len(bad.first) + len(bad.later))
			})
		}
	}
}

// A group may have nothing but a few messages, and a bad one among them.
func TestMalformed_MessageOfAShortGroup(t *testing.T) {
	t.Parallel()
	for n := chat.Seq(2); n <= 4; n++ {
		for bad := chat.Seq(1); bad <= n; bad++ {
			act(t, fmt.Sprintf("%d of %d", bad, n), int(n), func(s *scene) {
				s.must(s.chat.Poison(s.stream, chatemu.PoisonCut, bad))
				s.tick()
				s.spoiled(1)
			})
		}
	}
}

// The newest page was cut at its top, so it can be read; what was cut off cannot.
func TestMalformed_MessageThatTheNewestPageLacks(t *testing.T) {
	play(t, 100, func(s *scene) {
		s.chat.SetQuirks(chatemu.Quirks{PageBytes: 1024, Cut: chatemu.CutNewest, FinishedOmitted: true})
		s.must(s.chat.Poison(s.stream, chatemu.PoisonSyntax, 100))
		s.runs()
		s.spoiled(1)
	})
}

// What is bad among the newest is no message on its way.
func TestMalformed_YoungMessageIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	for bad := chat.Seq(27); bad <= 31; bad++ {
		act(t, fmt.Sprint(bad), 28, func(s *scene) {
			s.grow(young(), young(), young())
			s.must(s.chat.Poison(s.stream, chatemu.PoisonNoSeq, bad))
			s.tick()
			s.spoiled(1)
		})
	}
}

// However many are bad, a run of several batches gets through.
func TestMalformed_MessagesOfALongRun(t *testing.T) {
	play(t, 600, func(s *scene) {
		bad := listed(201, 225)
		for seq := chat.Seq(7); seq <= 200; seq += 31 {
			bad = append(bad, seq)
		}
		s.must(s.chat.Poison(s.stream, chatemu.PoisonSyntax, bad...))
		if _, batches, failed := s.through(part()); batches < 3 || failed > 0 {
			s.Errorf("%d batches, %d failed", batches, failed)
		}
		s.spoiled(len(bad))
	})
}

// A service of which nothing can be read fails the batch, and no message is archived as malformed.
func TestMalformed_ServiceThatIsBrokenFailsTheBatch(t *testing.T) {
	t.Parallel()
	for _, begun := range []bool{false, true} {
		act(t, fmt.Sprintf("begun %v", begun), 105, func(s *scene) {
			if begun {
				s.tick()
				s.grow(old(200)...)
			}
			before := s.keys()
			s.chat.SetQuirks(chatemu.Quirks{MissingSeq: true})
			result, err := s.fails(turn{limit: time.Minute})
			if got := s.state(); result.Code != "malformed_page" || got.Error == nil || got.Error.Code != "malformed_page" || got.Lease != nil {
				s.Errorf("%v, code %q, state %+v", err, result.Code, got)
			}
			if result.Calls > 100 || len(s.keys()) != len(before) {
				s.Errorf("%d calls, and objects %v", result.Calls, s.keys())
			}
			s.chat.SetQuirks(chatemu.Quirks{})
			s.tick()
			s.spoiled(0)
		})
	}
}

// warnings are the warnings of a tick, by their text.
func (s *scene) warnings() map[string]map[string]any {
	s.Helper()
	var log strings.Builder
	s.done(export.Complete, turn{limit: 5 * time.Minute, change: func(_ *export.Engine, r *export.Request) { r.Log = zerolog.New(&log) }})
	found := map[string]map[string]any{}
	for line := range strings.Lines(log.String()) {
		var fields map[string]any
		s.must(json.Unmarshal([]byte(line), &fields))
		if fields["level"] != "warn" {
			continue
		}
		found[fmt.Sprint(fields["message"])] = fields
		for name, value := range fields {
			switch value.(type) {
			case string, float64:
			default:
				s.Errorf("field %s of %s is not flat", name, line)
			}
		}
	}
	return found
}

// What cannot be read is named, once a batch, without what it says.
func TestMalformed_MessagesAreTold(t *testing.T) {
	play(t, 300, func(s *scene) {
		s.must(s.chat.Poison(s.stream, chatemu.PoisonControl, 17, 120))
		s.must(s.chat.Poison(s.stream, chatemu.PoisonSeqNull, 90))
		told := s.warnings()["messages cannot be read"]
		if told["malformed"] != 3.0 || told["seq"] != 17.0 || told["seqs"] != "17 90 120" ||
			told["shapes"] != "control_character_in_a_string no_seq control_character_in_a_string" {
			s.Errorf("warning %v", told)
		}
		if again := s.warnings(); len(again) > 0 {
			s.Errorf("the next tick warns: %v", again)
		}
		s.grow(old(50)...)
		s.must(s.chat.Poison(s.stream, chatemu.PoisonDeep, listed(301, 330)...))
		told = s.warnings()["messages cannot be read"]
		if told["malformed"] != 30.0 || told["seq"] != 301.0 || len(strings.Fields(told["seqs"].(string))) != 20 {
			s.Errorf("warning %v", told)
		}
	})
}

// Messages that did not come though they were asked for again are told; what has expired is no gap.
func TestGap_IsTold(t *testing.T) {
	play(t, 0, func(s *scene) {
		s.chat.SetQuirks(chatemu.Quirks{Holes: chatemu.HoleIsOmitted, Expired: chatemu.HoleIsOmitted})
		s.generate(2600, except(chatemu.KindStoreFail, func(seq chat.Seq) bool { return between(2040, 2061)(seq) || seq == 2100 || seq == 2601 }))
		s.expire(2001)
		told := s.warnings()["messages did not come"]
		if told["absent"] != 23.0 || told["lo"] != 2040.0 || told["hi"] != 2061.0 || told["ranges"] != "2040-2061 2100-2100" {
			s.Errorf("warning %v", told)
		}
		if counts := s.whole().Totals.Counts; counts.Absent != 23 {
			s.Errorf("%+v", counts)
		}
		s.generate(1, except(chatemu.KindStoreFail, between(1, 9999)))
		s.generate(40, plain)
		if told = s.warnings()["messages did not come"]; told["absent"] != 1.0 || told["ranges"] != "2601-2601" {
			s.Errorf("warning %v", told)
		}
	})
}

// A message that does not come at first, and then does, is no gap.
func TestGap_ThatPassesIsNone(t *testing.T) {
	play(t, 300, func(s *scene) {
		s.must(s.chat.Withhold(s.stream, 1, 1, 20, 33, 34, 35, 120, 299))
		if told := s.warnings(); len(told) > 0 {
			s.Errorf("warnings %v", told)
		}
		s.spoiled(0)
	})
}
