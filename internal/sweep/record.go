package sweep

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

const (
	// Standing outcomes are tried again after an hour, then at half the rate each time, down to every longPause. All pauses
	// are at most pauseShare of the retention: who mends the cause in time must not lose what came meanwhile.
	firstPause = time.Hour
	longPause  = 6 * time.Hour
	pauseShare = 8
	// forgetAfter tries a group that is neither listed nor there is not remembered any more. Its archive stays.
	forgetAfter = 8

	// settling is how long a message may have its seq before it can be read (package export): what is newer may be missing.
	settling = 2 * time.Minute
	// knownRecords is how many records a piece of what is known holds: one piece is in memory at a time.
	knownRecords = 20_000
)

// record is what is remembered of a stream from sweep to sweep. All of it is a hint: the engine checks what matters.
type record struct {
	Group    string   `json:"g"`
	Topic    string   `json:"t,omitempty"`
	Type     string   `json:"y,omitempty"`
	Frontier chat.Seq `json:"f,omitempty"` // 0: nothing is archived, as far as is known
	Since    int64    `json:"s,omitempty"` // no message from the frontier on is older, in seconds since 1970; 0 is unknown
	// CreateTime is the group's as the archive's genesis has it.
	CreateTime int64 `json:"k,omitempty"`
	// Next is NextMsgSeq when a try found less than it promised, and nothing was under way; or at a standing outcome.
	Next    chat.Seq `json:"n,omitempty"`
	Last    int64    `json:"l,omitempty"` // time of the newest message at a standing outcome
	Outcome string   `json:"o,omitempty"` // of the last try; empty if that was complete
	Code    string   `json:"e,omitempty"`
	Tries   int      `json:"x,omitempty"` // how often in a row that was the outcome
	Tried   int64    `json:"a,omitempty"` // when last
}

func (r *record) stream() chat.Stream { return chat.Stream{GroupID: r.Group, TopicID: r.Topic} }

// standing reports whether an outcome stays until a person, or a change in the app, makes another of it.
func standing(outcome string) bool {
	switch outcome {
	case string(export.Unknown), archive.StatusGone, archive.StatusUnsupported, archive.StatusDamaged, archive.StatusMismatch,
		archive.StatusRecreated, archive.StatusNoMetadata:
		return true
	default:
		return false
	}
}

// again returns when a sweep looks again at a stream that did not come to its head: in the past, and so in the next sweep,
// unless the same is to be expected of it. What has something new may be looked at earlier (see revived and planner).
func (r *record) again(retention time.Duration) time.Time {
	pause := retention / pauseShare
	switch {
	case standing(r.Outcome):
		pause = min(pause, longPause)
	case r.Outcome == "" && r.Next > 0: // complete, though the service promises more: the newest were deleted
	default: // a failure that may pass
		return time.Time{}
	}
	return time.Unix(r.Tried, 0).Add(min(pause, firstPause<<min(max(r.Tries-1, 0), 20)))
}

// revived reports whether the list shows life in a stream that the service refused. What is wrong with an archive is not
// mended by new messages.
func (r *record) revived(s *sight) bool {
	if r.Outcome != string(export.Unknown) && r.Outcome != archive.StatusGone && r.Outcome != archive.StatusUnsupported {
		return false
	}
	return s.NextSeq > 0 && s.NextSeq != r.Next || s.LastTime > 0 && s.LastTime != r.Last
}

// learn takes what became of a try.
func (r *record) learn(v verdict) {
	if v.Frontier > 0 {
		r.Frontier = v.Frontier
	}
	if v.CreateTime > 0 {
		r.CreateTime = v.CreateTime
	}
	was := *r
	r.Outcome, r.Code, r.Next, r.Last = v.Outcome, v.Code, 0, 0
	switch {
	case v.Outcome == string(export.Complete):
		r.Outcome, r.Code = "", ""
		r.Since = v.Began - int64(settling/time.Second)
		if v.Next > r.Frontier && v.Calm {
			r.Next = v.Next // the newest were deleted, or never stored; else they may have been settling
		}
	case standing(v.Outcome):
		r.Next, r.Last = v.Next, v.Last
	}
	switch {
	case r.Outcome == "" && r.Next == 0:
		r.Tries, r.Tried = 0, 0 // nothing to remember of a success
	case r.Outcome == was.Outcome && (r.Outcome != "" || was.Next == r.Next):
		r.Tries, r.Tried = was.Tries+1, v.At
	default:
		r.Tries, r.Tried = 1, v.At
	}
}

// learned returns the records with what a lane found out added to them.
func learned(known iter.Seq2[record, error], verdicts *table[verdict]) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		for m, err := range join(verdicts, known) {
			r := record{Group: m.stream.GroupID, Topic: m.stream.TopicID}
			if m.record != nil {
				r = *m.record
			}
			if m.value != nil {
				r.learn(*m.value)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// readKnown returns what a sweep knew, read piece by piece. What is lost or broken of it is warned of and done without:
// those streams are looked at again.
func (v *survey) readKnown(ctx context.Context, id string) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		var last chat.Stream
		for piece := 0; id != ""; piece++ {
			var h pieceHeader
			others, err := readLines[record](ctx, v.objects, layout.SweepKnown(id, piece), &h)
			if err == nil {
				var r record
				for r, err = range others {
					// In order, else two deliveries knew unlike much; and one line is not to cost all the others.
					if stream := r.stream(); err == nil && compare(last, stream) < 0 && possible(stream) {
						last = stream
						if !yield(r, nil) {
							return
						}
					}
				}
			}
			switch {
			case err == nil && h.Last:
				return
			case err != nil && !lost(err):
				yield(record{}, fmt.Errorf("what the sweep before knew: %w", err))
				return
			case err != nil:
				v.Log.Warn().Err(err).Int("piece", piece).Msg("part of what the sweep before knew is lost; its streams are looked at")
				if errors.Is(err, objstore.ErrNotExist) {
					return
				}
			}
		}
	}
}
