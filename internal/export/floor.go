package export

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/panics"
)

const (
	// voidPages on end without a retained element make a void worth looking into.
	voidPages = 5
	// spreadProbes pages are asked for evenly over a void that nothing proves.
	spreadProbes = 64
	// walkable is the longest void for which walking costs no more calls than probing it would.
	walkable chat.Seq = spreadProbes * chat.PageSize
	// maxRounds bounds how often probing begins again below something retained that it met; then the rest is walked.
	maxRounds = 8
	// lookShare of the time for pulling goes into finding a floor at most, and half of that into a proof before it is
	// checked: a service so slow that it takes longer must not stop the archive. What is left is walked.
	lookShare = 0.5
)

// floor is what was found out about the beginning of the retained history at or above a seq.
type floor struct {
	first    chat.Seq // the first seq that may be retained; head + 1 if none is
	evidence string   // why everything below first is taken for expired
	probes   int      // pages that were asked for to find out
	walkTo   chat.Seq // up to here there are voids that nothing proves and that have to be walked
}

// finder looks for the floor in [from, head], of which nothing up to known is retained.
type finder struct {
	*batch
	from, known, head chat.Seq
	check             time.Time // when a proof is settled for
	probes            int
}

// probe is what one page says about a place.
type probe struct {
	lowest  chat.Seq // the smallest retained seq on it at or above from, 0 if there is none
	expired bool     // it has IsFinished 2 and nothing retained
	cut     bool     // it has nothing retained, and its newest elements are missing
}

// findFloor finds where retained history begins: by proof where the service gives one, else by probing. Where there is
// not time enough for that, the floor is below that place, and what lies above it is to be walked.
func (b *batch) findFloor(ctx context.Context, from, known, head chat.Seq) (floor, error) {
	now := time.Now()
	look := time.Duration(lookShare * float64(b.budget.pullEnd.Sub(now)))
	f := &finder{batch: b, from: from, known: known, head: head, check: now.Add(look / 2)}
	limited, cancel := context.WithDeadline(ctx, now.Add(look))
	defer cancel()
	found, err := f.find(limited)
	if err != nil && ctx.Err() == nil && (limited.Err() != nil || outOfTime(err)) {
		b.Log.Warn().Int64("from", int64(from)).Int("probes", f.probes).
			Msg("no time to find where the retained history begins; the void is walked for now")
		return f.walk(), nil
	}
	return found, err
}

func (f *finder) find(ctx context.Context) (floor, error) {
	first, proved, err := f.prove(ctx)
	switch {
	case err != nil:
		return floor{}, err
	case proved:
		found := floor{first: first, evidence: archive.EvidenceFinished, probes: f.probes}
		if f.hurried() {
			found.walkTo = f.head // more may have expired than was proved
		}
		return found, nil
	case f.Limits.Exhaustive:
		return f.walk(), nil
	default:
		return f.guess(ctx)
	}
}

// walk is the floor of which nothing was found out.
func (f *finder) walk() floor {
	return floor{first: f.from, evidence: archive.EvidenceNone, probes: f.probes, walkTo: f.head}
}

// hurried reports whether the search for a proof has to content itself with what it has.
func (f *finder) hurried() bool { return !time.Now().Before(f.check) }

// prove searches for the last seq at which IsFinished 2 says that everything up to it has expired, and asks below it
// whether that is true.
func (f *finder) prove(ctx context.Context) (chat.Seq, bool, error) {
	start, err := f.peek(ctx, f.known)
	if err != nil || !start.expired {
		return 0, false, err
	}
	low, high := f.known, f.head+1 // low is proved; high is retained, unproved, or behind the head
	for high-low > 1 && !f.hurried() {
		middle := low + (high-low)/2
		p, err := f.peek(ctx, middle)
		switch {
		case err != nil:
			return 0, false, err
		case p.lowest > 0 && p.lowest <= low:
			f.anomaly(p.lowest)
			return 0, false, nil
		case p.lowest > 0:
			high = p.lowest
		case p.expired:
			low = middle
		default:
			high = middle
		}
	}
	for _, at := range f.below(low - chat.PageSize + 1) {
		p, err := f.peek(ctx, at)
		if err != nil {
			return 0, false, err
		}
		if p.lowest > 0 {
			f.anomaly(p.lowest)
			return 0, false, nil
		}
	}
	return low + 1, true, nil
}

// anomaly notes that the service contradicts itself: its proof is no proof, and the void is treated as one without.
func (f *finder) anomaly(seq chat.Seq) {
	f.Log.Warn().Int64("seq", int64(seq)).Msg("IsFinished 2 although an older message is still there; the void is probed instead")
}

// guess looks upwards in growing steps for something retained, searches below it for where that begins, and probes the
// void that remains.
func (f *finder) guess(ctx context.Context) (floor, error) {
	low, top := f.known, f.head+1 // nothing retained was found up to low; top is retained, or behind the head
	for step := chat.Seq(chat.PageSize); low < f.head && top > f.head; step *= 2 {
		at := min(f.head, f.known+step)
		p, err := f.peek(ctx, at)
		switch {
		case err != nil:
			return floor{}, err
		case p.cut:
			top = at
		case p.lowest > 0:
			top = p.lowest
		default:
			low = at
		}
	}
	for range maxRounds {
		first, err := f.search(ctx, low, top)
		if err != nil {
			return floor{}, err
		}
		if top = first; top-f.from <= walkable {
			break
		}
		met, err := f.probeBelow(ctx, top)
		if err != nil {
			return floor{}, err
		}
		if met == 0 {
			return floor{first: top, evidence: archive.EvidenceProbe, probes: f.probes}, nil
		}
		low, top = f.from-1, met
	}
	return floor{first: f.from, evidence: archive.EvidenceNone, probes: f.probes, walkTo: top - 1}, nil
}

// search halves the way from low, where nothing is retained, up to top until it knows where what is retained below top
// begins. It returns that seq, which is top if nothing below it was met.
func (f *finder) search(ctx context.Context, low, top chat.Seq) (chat.Seq, error) {
	for top-low > 1 {
		middle := low + (top-low)/2
		p, err := f.peek(ctx, middle)
		switch {
		case err != nil:
			return 0, err
		case p.cut:
			top = middle
		case p.lowest > 0:
			top = min(p.lowest, middle)
		default:
			low = middle
		}
	}
	return top, nil
}

// probeBelow asks for pages all over the void below top and returns the smallest retained seq that it met, or 0. Close to
// top they are dense: what is below messages that were deleted is more likely there than anywhere else.
func (f *finder) probeBelow(ctx context.Context, top chat.Seq) (chat.Seq, error) {
	at := f.below(top)
	for step := chat.Seq(chat.PageSize); top-1-step > f.from; step *= 2 {
		at = append(at, top-1-step)
	}
	for i := range chat.Seq(spreadProbes) {
		at = append(at, f.from+(top-f.from)*(2*i+1)/(2*spreadProbes))
	}
	lows := make([]chat.Seq, len(at))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(f.Limits.Concurrency)
	for i, seq := range at {
		group.Go(func() error {
			return panics.Logged(f.Log, func() error {
				p, err := f.ask(ctx, seq)
				lows[i] = p.lowest
				return err
			})
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	f.probes += len(at)
	var met chat.Seq
	for _, low := range lows {
		if low > 0 && low < top && (met == 0 || low < met) {
			met = low
		}
	}
	return met, nil
}

// below returns places at which a void that ends below seq is checked: just below, at the halving points, and at its
// very bottom.
func (f *finder) below(seq chat.Seq) []chat.Seq {
	var at []chat.Seq
	if just := seq - 1; just >= f.from {
		at = append(at, just)
	}
	for half := f.from + (seq-f.from)/2; half > f.from+chat.PageSize; half = f.from + (half-f.from)/2 {
		at = append(at, half)
	}
	if bottom := f.from + chat.PageSize - 1; bottom < seq {
		at = append(at, bottom)
	}
	return at
}

func (f *finder) peek(ctx context.Context, at chat.Seq) (probe, error) {
	f.probes++
	return f.ask(ctx, at)
}

// ask looks at the page below at. One that is cut at its top says nothing of at itself, which is then asked for alone.
func (f *finder) ask(ctx context.Context, at chat.Seq) (probe, error) {
	p, err := f.askPage(ctx, at, int(min(chat.PageSize, at-f.from+1)))
	if err != nil || !p.cut {
		return p, err
	}
	return f.askPage(ctx, at, 1)
}

func (f *finder) askPage(ctx context.Context, at chat.Seq, number int) (probe, error) {
	page, err := f.surePage(ctx, chat.Query{Stream: f.Stream, Seq: at, Number: number})
	if err != nil {
		return probe{}, fmt.Errorf("probe for retained history at %d: %w", at, err)
	}
	p := probe{lowest: lowestRetained(page, f.from, at)}
	p.cut = p.lowest == 0 && cutAtTop(page, at)
	p.expired = page.Finished == chat.FinishedExpired && p.lowest == 0 && !p.cut
	return p, nil
}

// cutAtTop reports whether a page may lack its newest elements, any of which may be retained.
func cutAtTop(page chat.Page, at chat.Seq) bool {
	return len(page.Elements) > 0 && !slices.ContainsFunc(page.Elements, func(e chat.Element) bool { return e.Seq == at })
}

// lowestRetained returns the smallest seq in [from, to] that the page shows to be retained, 0 if there is none.
func lowestRetained(page chat.Page, from, to chat.Seq) chat.Seq {
	var lowest chat.Seq
	for i := range page.Elements {
		e := &page.Elements[i]
		if e.Retained() && e.Seq >= from && e.Seq <= to && (lowest == 0 || e.Seq < lowest) {
			lowest = e.Seq
		}
	}
	return lowest
}
