package pull

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"chatexport/internal/chat"
	"chatexport/internal/panics"
)

const (
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

// Void is a range of which a beginning holds nothing retained: where retained history begins in it, Floor finds out.
type Void struct {
	From  chat.Seq // nothing below counts
	Known chat.Seq // nothing in [From, Known] is retained, as far as it was read
	Head  chat.Seq // the end of the range

	Exhaustive bool      // what nothing proves is left to be walked (EXPORT_VOID)
	End        time.Time // when pulling ends
}

// Floor is what was found out about a void.
type Floor struct {
	First  chat.Seq // the first seq that may be retained: Head + 1 if none is, From if nothing was found out
	Proved bool     // the service says itself that everything below First has expired; else that rests on probes
	Probes int      // pages that were asked for to find out
	WalkTo chat.Seq // up to here there are voids that nothing proves and that have to be walked
}

// finder looks for the floor of a void.
type finder struct {
	*Reader
	Void
	check  time.Time // when a proof is settled for
	probes int
}

// probe is what one page says about a place.
type probe struct {
	lowest  chat.Seq // the smallest retained seq on it at or above from, 0 if there is none
	expired bool     // it has IsFinished 2 and nothing retained
	cut     bool     // it has nothing retained, and its newest elements are missing
}

// Floor finds where retained history begins: by proof where the service gives one, else by probing. Where there is not
// time enough for that, the floor is below that place, and what lies above it is to be walked.
func (r *Reader) Floor(ctx context.Context, v Void) (Floor, error) {
	now := time.Now()
	look := time.Duration(lookShare * float64(v.End.Sub(now)))
	f := &finder{Reader: r, Void: v, check: now.Add(look / 2)}
	limited, cancel := context.WithDeadline(ctx, now.Add(look))
	defer cancel()
	found, err := f.find(limited)
	if err != nil && ctx.Err() == nil && (limited.Err() != nil || OutOfTime(err)) {
		r.Log.Warn().Int64("from", int64(v.From)).Int("probes", f.probes).
			Msg("no time to find where the retained history begins; the void is walked for now")
		return f.walk(), nil
	}
	return found, err
}

// Beginning finds where the retained history of a stream begins: of [1, v.Head], whose newest page is given. Most streams
// have lost nothing, and their first page shows it, which is returned, too.
func (r *Reader) Beginning(ctx context.Context, newest chat.Page, v Void) (Floor, chat.Page, error) {
	v.From, v.Known = 1, min(v.Head, chat.PageSize)
	first := newest
	if v.Head > v.Known || len(newest.Elements) == 0 {
		var err error
		first, err = r.whole(ctx, v.Known, int(v.Known))
		if Unreadable(err) { // something is there; what it is turns out when it is read for the archive
			return Floor{First: 1}, chat.Page{}, r.trust(ctx, 0, v.Known)
		}
		if err != nil {
			return Floor{}, first, fmt.Errorf("read the first page: %w", err)
		}
	}
	var f Floor
	var err error
	switch lowest := first.OldestRetained(1, v.Known); {
	case lowest == 1:
		f = Floor{First: 1}
	case lowest > 1:
		f, err = r.floorBelow(ctx, lowest)
	default:
		f, err = r.Floor(ctx, v)
	}
	return f, first, err
}

// floorBelow decides about the seqs of [1, lowest), all on one page, of which nothing is retained while lowest is: only
// IsFinished 2 proves that they have expired; else they are to be read as they are.
func (r *Reader) floorBelow(ctx context.Context, lowest chat.Seq) (Floor, error) {
	f := &finder{Reader: r, Void: Void{From: 1, Head: lowest}}
	p, err := f.peek(ctx, lowest-1)
	if err != nil {
		return Floor{}, err
	}
	if p.expired {
		return Floor{First: lowest, Proved: true, Probes: f.probes}, nil
	}
	return Floor{First: 1, Probes: f.probes}, nil
}

func (f *finder) find(ctx context.Context) (Floor, error) {
	first, proved, err := f.prove(ctx)
	switch {
	case err != nil:
		return Floor{}, err
	case proved:
		found := Floor{First: first, Proved: true, Probes: f.probes}
		if f.hurried() {
			found.WalkTo = f.Head // more may have expired than was proved
		}
		return found, nil
	case f.Exhaustive:
		return f.walk(), nil
	default:
		return f.guess(ctx)
	}
}

// walk is the floor of which nothing was found out.
func (f *finder) walk() Floor {
	return Floor{First: f.From, Probes: f.probes, WalkTo: f.Head}
}

// hurried reports whether the search for a proof has to content itself with what it has.
func (f *finder) hurried() bool { return !time.Now().Before(f.check) }

// prove searches for the last seq at which IsFinished 2 says that everything up to it has expired, and asks below it
// whether that is true.
func (f *finder) prove(ctx context.Context) (chat.Seq, bool, error) {
	start, err := f.peek(ctx, f.Known)
	if err != nil || !start.expired {
		return 0, false, err
	}
	low, high := f.Known, f.Head+1 // low is proved; high is retained, unproved, or behind the head
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
func (f *finder) guess(ctx context.Context) (Floor, error) {
	low, top := f.Known, f.Head+1 // nothing retained was found up to low; top is retained, or behind the head
	for step := chat.Seq(chat.PageSize); low < f.Head && top > f.Head; step *= 2 {
		if err := f.narrow(ctx, min(f.Head, f.Known+step), &low, &top); err != nil {
			return Floor{}, err
		}
	}
	for range maxRounds {
		first, err := f.search(ctx, low, top)
		if err != nil {
			return Floor{}, err
		}
		if top = first; top-f.From <= walkable {
			break
		}
		met, err := f.probeBelow(ctx, top)
		if err != nil {
			return Floor{}, err
		}
		if met == 0 {
			return Floor{First: top, Probes: f.probes}, nil
		}
		low, top = f.From-1, met
	}
	return Floor{First: f.From, Probes: f.probes, WalkTo: top - 1}, nil
}

// search halves the way from low, where nothing is retained, up to top until it knows where what is retained below top
// begins. It returns that seq, which is top if nothing below it was met.
func (f *finder) search(ctx context.Context, low, top chat.Seq) (chat.Seq, error) {
	for top-low > 1 {
		if err := f.narrow(ctx, low+(top-low)/2, &low, &top); err != nil {
			return 0, err
		}
	}
	return top, nil
}

// narrow asks whether something up to a place is retained, which moves top down to it, and else low up to the place.
func (f *finder) narrow(ctx context.Context, at chat.Seq, low, top *chat.Seq) error {
	p, err := f.peek(ctx, at)
	switch {
	case err != nil:
		return err
	case p.cut:
		*top = at
	case p.lowest > 0:
		*top = p.lowest
	default:
		*low = at
	}
	return nil
}

// probeBelow asks for pages all over the void below top and returns the smallest retained seq that it met, or 0. Close to
// top they are dense: what is below messages that were deleted is more likely there than anywhere else.
func (f *finder) probeBelow(ctx context.Context, top chat.Seq) (chat.Seq, error) {
	at := f.below(top)
	for step := chat.Seq(chat.PageSize); top-1-step > f.From; step *= 2 {
		at = append(at, top-1-step)
	}
	for i := range chat.Seq(spreadProbes) {
		at = append(at, f.From+(top-f.From)*(2*i+1)/(2*spreadProbes))
	}
	lows := make([]chat.Seq, len(at))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(f.Concurrency)
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
	if just := seq - 1; just >= f.From {
		at = append(at, just)
	}
	for half := f.From + (seq-f.From)/2; half > f.From+chat.PageSize; half = f.From + (half-f.From)/2 {
		at = append(at, half)
	}
	if bottom := f.From + chat.PageSize - 1; bottom < seq {
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
	p, err := f.askPage(ctx, at, int(min(chat.PageSize, at-f.From+1)))
	if err != nil || !p.cut {
		return p, err
	}
	return f.askPage(ctx, at, 1)
}

func (f *finder) askPage(ctx context.Context, at chat.Seq, number int) (probe, error) {
	page, err := f.SurePage(ctx, at, number)
	if err != nil {
		return probe{}, fmt.Errorf("probe for retained history at %d: %w", at, err)
	}
	p := probe{lowest: page.OldestRetained(f.From, at)}
	p.cut = p.lowest == 0 && cutAtTop(page, at)
	p.expired = page.Finished == chat.FinishedExpired && p.lowest == 0 && !p.cut
	return p, nil
}

// cutAtTop reports whether a page may lack its newest elements, any of which may be retained.
func cutAtTop(page chat.Page, at chat.Seq) bool {
	return len(page.Elements) > 0 && !slices.ContainsFunc(page.Elements, func(e chat.Element) bool { return e.Seq == at })
}
