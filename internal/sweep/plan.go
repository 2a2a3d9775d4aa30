package sweep

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

const (
	// rateShare of the calls a second is what the lane can count on for pages: the rest goes into retries and waits.
	rateShare = 0.8
	// unavoidable is the delay that is not worth a warning for a stream that was never exported: how old its oldest
	// message is, nobody tells, and something may expire at any moment.
	unavoidable = time.Hour
	// deadlineStep is how finely deadlines are told apart, in seconds; within one, what is soon done comes first.
	deadlineStep = 3600
)

// item is one stream of a plan: what is known of it, and what was seen.
type item struct {
	record

	Seen news  `json:"seen"`
	New  int64 `json:"new,omitempty"` // seqs to archive, as far as is known

	// Trails means that the messages are archived, and what follows them is not; Behind, that this comes behind all messages
	// of all streams, as it does unless files are about to expire.
	Trails bool `json:"trails,omitempty"`
	Behind bool `json:"behind,omitempty"`

	deadline int64 // when the oldest of them expires, in seconds since 1970
	risk     bool  // there is something that can expire
}

// calls is how many calls the export of the item takes at least.
func (i *item) calls() float64 { return 1 + float64(i.New)/chat.PageSize }

// Streams counts what a sweep decided about streams.
type Streams struct {
	Due     int `json:"due"`     // planned: something new, or to be looked at again
	Idle    int `json:"idle"`    // archived up to the newest message
	Empty   int `json:"empty"`   // no message yet
	Waiting int `json:"waiting"` // for min_new or max_age
	Resting int `json:"resting"` // after a standing outcome, until the next try
	Gone    int `json:"gone"`    // no longer there, and nothing left to do
	Trails  int `json:"trails"`  // planned for what follows their messages alone, which is counted elsewhere, too
}

// planner decides what is due. It is pure: everything it needs is in it.
type planner struct {
	now       time.Time
	since     time.Time // earlier than any group was looked at
	spec      Spec
	retention time.Duration
	rate      float64         // calls a second
	unlisted  []string        // types whose groups could not be listed
	blind     map[string]bool // groups whose topics could not be listed

	streams  Streams
	items    []*item
	failures nameList
	atRisk   nameList
	files    nameList // at risk
}

// plan merges what was seen, sorted, with what is known, in the same order, and yields what the next sweep is to know.
// When that comes to its end, the items are complete, and in order of urgency.
func (p *planner) plan(seen *snapshot, known iter.Seq2[record, error]) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		for m, err := range join(seen.streams, (*sighting).stream, known) {
			if err != nil {
				yield(record{}, err)
				return
			}
			r := m.record
			if r == nil {
				r = &record{Stream: m.stream}
			}
			var remember bool
			if m.value != nil {
				remember = p.consider(r, m.value)
			} else {
				remember = p.missed(r)
			}
			if p.follow(r, m.value) {
				remember = true
			}
			if remember && !yield(*r, nil) {
				return
			}
		}
		p.order()
	}
}

// consider decides about a stream that was seen, and reports whether it is to be remembered.
func (p *planner) consider(r *record, seen *sighting) bool {
	r.Type = cmp.Or(seen.kind.Value(), r.Type)
	s := seen.news()
	switch {
	case seen.gone:
		return p.vanished(r, s, "")
	case r.Outcome != "" && p.rests(r, s):
		p.rest(r)
	case seen.unseen:
		p.due(r, s)
	case r.Frontier == 0 && s.Next <= 1 && s.Last == 0:
		p.streams.Empty++
		return r.Outcome != "" // else there is nothing to remember
	case r.idle(s), r.Next > 0 && r.Next == s.Next && !r.recreated(s) && p.rests(r, s):
		p.streams.Idle++
		r.Since = max(min(r.Since, p.now.Unix()), p.since.Add(-settling).Unix()) // a clock may have been ahead
	case p.waits(r, s):
		p.streams.Waiting++
	default:
		p.due(r, s)
	}
	return true
}

// rests reports whether a stream need not be tried now.
func (p *planner) rests(r *record, s news) bool {
	return p.now.Before(r.again(p.retention)) && !r.revived(s)
}

func (p *planner) rest(r *record) {
	p.streams.Resting++
	p.failures.add(Named{Stream: r.Stream, Type: r.Type, Outcome: r.Outcome, Code: r.Code})
}

// idle reports whether everything that the app has of a stream is archived.
func (r *record) idle(s news) bool {
	switch {
	case r.Frontier == 0, r.Outcome != "", r.recreated(s):
		return false
	case s.Next == 0: // not told
		return s.Last > 0 && s.Last < r.Since
	default:
		return s.Next == r.Frontier
	}
}

// recreated reports whether another group may have the archived one's id. Whether it has, the engine finds out.
func (r *record) recreated(s news) bool {
	return r.Frontier > 0 && (s.Next > 0 && s.Next < r.Frontier || s.Create > 0 && r.CreateTime > 0 && s.Create != r.CreateTime)
}

// waits reports whether a stream may still wait for more messages: those that it has are few and young, and far from
// expiry.
func (p *planner) waits(r *record, s news) bool {
	few, age := p.spec.patience()
	if few == 0 || r.Outcome != "" || r.recreated(s) || s.Next == 0 {
		return false
	}
	oldest := p.oldest(r, s)
	return int64(s.Next-max(r.Frontier, 1)) < few && p.now.Sub(oldest) < age && p.now.Sub(oldest) < p.retention/2
}

// oldest returns the time before which no message was sent that is not archived yet.
func (p *planner) oldest(r *record, s news) time.Time {
	oldest := p.now.Add(-p.retention)
	from := s.Create
	if r.Frontier > 0 && r.Since > 0 {
		from = r.Since
	}
	if t := time.Unix(from, 0); t.After(oldest) {
		return t
	}
	return oldest
}

// follow puts a stream on the plan for its trails alone, unless it is on it already or they are not due. It reports whether a
// trail is open: such a stream is not forgotten, gone or not.
func (p *planner) follow(r *record, seen *sighting) bool {
	if r.Trail == 0 {
		return false
	}
	i := &item{record: *r, Trails: true}
	if seen != nil {
		i.Seen = seen.news()
	}
	i.deadline = p.now.Add(p.retention).Unix()
	if r.Files > 0 {
		i.deadline = time.Unix(r.Files, 0).Add(p.retention).Unix()
	}
	i.Behind = !r.urgent(p.now, p.retention)
	if !i.Behind {
		p.files.add(Named{Stream: r.Stream, Type: r.Type, Expires: time.Unix(i.deadline, 0).UTC()})
	}
	planned := len(p.items) > 0 && p.items[len(p.items)-1].Stream == r.Stream
	if !planned && r.follows(p.now) && p.spec.wants(r.GroupID) {
		p.streams.Trails++
		p.items = append(p.items, i)
	}
	return true
}

// urgent reports whether files of a stream will expire soon, if they have not yet.
func (r *record) urgent(now time.Time, retention time.Duration) bool {
	return r.Files > 0 && now.Sub(time.Unix(r.Files, 0)) > retention/4*3
}

// due puts a stream on the plan.
func (p *planner) due(r *record, s news) {
	p.streams.Due++
	i := &item{record: *r, Seen: s, New: int64(max(0, s.Next-max(r.Frontier, 1)))}
	i.risk = s.Last == 0 || time.Unix(s.Last, 0).Add(p.retention).After(p.now) // else all of it has expired already
	i.deadline = p.now.Add(p.retention).Unix()
	if i.risk {
		i.deadline = p.oldest(r, s).Add(p.retention).Unix()
	}
	p.items = append(p.items, i)
}

// vanished decides about a stream that no longer exists. What is archived of it gets its last manifest from the engine,
// once.
func (p *planner) vanished(r *record, s news, why string) bool {
	switch {
	case r.Frontier > 0 && p.rests(r, s):
		p.rest(r)
	case r.Frontier > 0 && (r.Outcome != archive.StatusGone || r.Tries < forgetAfter):
		p.due(r, s)
	default: // never archived, or tried often enough
		p.streams.Gone++
		p.failures.add(Named{Stream: r.Stream, Type: r.Type, Outcome: archive.StatusGone, Code: r.Code, Text: why})
		return false
	}
	return true
}

// missed decides about a known stream that was not listed: it is outside of what was asked for, or gone. A list that left
// it out by chance costs a look.
func (p *planner) missed(r *record) bool {
	var s news
	switch {
	case !p.spec.wants(r.GroupID) || !p.spec.listsType(r.Type):
	case !p.overlooked(r):
		return p.vanished(r, s, "not listed any more")
	case r.Outcome != "" && p.rests(r, s):
		p.rest(r)
	default:
		p.due(r, s)
	}
	return true
}

// overlooked reports whether a stream may be there although it was not listed: the list that would have it failed.
func (p *planner) overlooked(r *record) bool {
	listed, _ := listType(r.Type)
	return r.TopicID != "" && p.blind[r.GroupID] || slices.Contains(p.unlisted, listed) || r.Type == "" && len(p.unlisted) > 0
}

// last puts what holds behind what does not.
func last(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// order sorts the plan, messages before what follows them, the most endangered first and within one step of time what is soon done, and finds out who
// will be reached too late.
func (p *planner) order() {
	slices.SortFunc(p.items, func(a, b *item) int {
		return cmp.Or(
			last(a.Behind, b.Behind), cmp.Compare(a.deadline/deadlineStep, b.deadline/deadlineStep), cmp.Compare(a.New, b.New), compare(a.Stream, b.Stream),
		)
	})
	var calls float64
	for _, i := range p.items {
		calls += i.calls()
		reached := p.now.Add(time.Duration(calls / (rateShare * p.rate) * float64(time.Second)))
		expires := time.Unix(i.deadline, 0).UTC()
		late := reached.After(expires)
		if i.Frontier == 0 {
			late = late && reached.After(p.now.Add(unavoidable))
		}
		if i.risk && i.New > 0 && late {
			p.atRisk.add(Named{Stream: i.Stream, Seqs: i.New, Expires: expires, Reached: reached.UTC()})
		}
	}
}
