package fetch

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/retry"
)

// A link waits so long for others that want a signature, too: a share of the time that a short invocation has.
const (
	maxPatience   = time.Second
	patienceShare = 0.05
)

// job is a link on its way.
type job struct {
	i      int
	link   Link
	url    *url.URL // that is asked for
	signed bool     // url is a secret

	began   time.Time
	refusal *Failure // what came without a signature
	came    int64    // size of a body that came whole, but not as told; -1 if there was none
	spool   *spool   // while a file is on the disk
}

// room makes an empty temporary file.
func (j *job) room(dir string) (err error) {
	if j.spool != nil {
		return j.spool.reset()
	}
	j.spool, err = newSpool(dir)
	return err
}

func (j *job) close() {
	if j.spool != nil {
		j.spool.close()
		j.spool = nil
	}
}

// round is one call of Fetch: workers take what is to be done next until there is nothing left.
type round struct {
	f     *Fetcher
	soft  time.Time
	links []Link
	done  func(i int, file *File, err error)

	patience time.Duration

	mu      sync.Mutex // guards all below
	changed *sync.Cond // by each worker that ends what it does, and by the end of patience
	next    int        // the first link that was not begun
	busy    int        // workers that do something
	refused []*job     // want a signature
	since   time.Time  // the first of them has waited
	timer   *time.Timer
	signed  []*job // have one
}

func newRound(f *Fetcher, soft time.Time, links []Link, done func(i int, file *File, err error)) *round {
	r := &round{f: f, soft: soft, links: links, done: done, patience: retry.Share(time.Until(soft), patienceShare, 0, maxPatience)}
	r.changed = sync.NewCond(&r.mu)
	r.timer = time.AfterFunc(r.patience, r.changed.Broadcast)
	return r
}

// work does one thing after another.
func (r *round) work(ctx context.Context) {
	for {
		do := r.take(ctx)
		if do == nil {
			return
		}
		func() {
			defer r.rest() // after a panic, too: others wait for it
			do(ctx)
		}()
	}
}

// take waits for something to do; nil when there will be nothing more. What has begun comes first.
func (r *round) take(ctx context.Context) func(context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		more := r.next < len(r.links) && ctx.Err() == nil && time.Now().Before(r.soft)
		waits := len(r.refused)
		switch {
		case len(r.signed) > 0:
			j := r.signed[0]
			r.signed = r.signed[1:]
			return r.begin(func(ctx context.Context) { r.fetch(ctx, j) })
		case waits >= signatures, waits > 0 && (time.Since(r.since) >= r.patience || !more && r.busy == 0):
			batch := r.refused[:min(waits, signatures)]
			r.refused = r.refused[len(batch):]
			r.waitForOthers()
			return r.begin(func(ctx context.Context) { r.sign(ctx, batch) })
		case more:
			j := &job{i: r.next, link: r.links[r.next], came: -1}
			r.next++
			return r.begin(func(ctx context.Context) { r.first(ctx, j) })
		case r.busy == 0:
			return nil
		}
		r.changed.Wait()
	}
}

func (r *round) begin(do func(context.Context)) func(context.Context) { r.busy++; return do }

func (r *round) rest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy--
	r.changed.Broadcast()
}

// first begins a link.
func (r *round) first(ctx context.Context, j *job) {
	u, failure := r.f.allow(j.link.URL)
	if failure == nil && j.link.Size > r.f.cfg.MaxBytes {
		failure = &Failure{State: TooLarge, Code: CodeMessage}
	}
	if failure != nil {
		r.tell(j, nil, failure)
		return
	}
	j.url = u
	r.fetch(ctx, j)
}

// fetch brings a link's file, and puts the link back where only a signature may help.
func (r *round) fetch(ctx context.Context, j *job) {
	if !r.slot(ctx, j) {
		return
	}
	defer func() { <-r.f.slots }()
	defer j.close()
	file, failure := r.f.bring(ctx, j)
	if failure != nil && failure.unsigned {
		r.putBack(j, failure)
		return
	}
	r.tell(j, file, failure)
}

// slot waits for room on the disk. A link that was not begun by soft is not begun.
func (r *round) slot(ctx context.Context, j *job) bool {
	wait := ctx
	if j.began.IsZero() {
		var cancel context.CancelFunc
		wait, cancel = context.WithDeadline(ctx, r.soft)
		defer cancel()
	}
	select {
	case r.f.slots <- struct{}{}:
		if j.began.IsZero() {
			j.began = time.Now()
		}
		return true
	case <-wait.Done():
		if !j.began.IsZero() {
			r.tell(j, nil, tooSlow(context.Cause(ctx)))
		}
		return false
	}
}

func (r *round) tell(j *job, file *File, failure *Failure) {
	if failure != nil {
		failure.Began = j.began
		r.done(j.i, nil, failure)
		return
	}
	file.Began = j.began
	r.done(j.i, file, nil)
}

func (r *round) putBack(j *job, failure *Failure) {
	failure.unsigned = false
	j.refusal = failure
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.refused) == 0 {
		r.waitForOthers()
	}
	r.refused = append(r.refused, j)
}

func (r *round) waitForOthers() {
	r.since = time.Now()
	r.timer.Reset(r.patience)
}

// sign asks for signed URLs. What the service cannot sign stays refused.
func (r *round) sign(ctx context.Context, batch []*job) {
	urls := make([]string, len(batch))
	for i, j := range batch {
		urls[i] = j.link.URL
	}
	var answers []chat.Signature
	err := r.f.caller.Call(ctx, func(ctx context.Context) (err error) {
		answers, err = r.f.signer.Signatures(ctx, urls)
		return err
	})
	for i, j := range batch {
		switch {
		case err != nil && (ctx.Err() != nil || errors.Is(err, retry.ErrNoTime)):
			r.tell(j, nil, tooSlow(err))
		case err != nil:
			j.refusal.Err = err
			r.tell(j, nil, j.refusal)
		case answers[i].Status == chat.FileBanned:
			r.tell(j, nil, &Failure{State: Banned, Code: CodeBanned})
		case answers[i].Status == chat.FileMissing:
			r.tell(j, nil, &Failure{State: Gone, Code: CodeMissing})
		default:
			r.useSignature(j, answers[i].URL)
		}
	}
}

func (r *round) useSignature(j *job, signed string) {
	u, failure := r.f.allow(signed)
	if signed == "" || failure != nil {
		r.tell(j, nil, j.refusal)
		return
	}
	j.url, j.signed = u, true
	r.mu.Lock()
	defer r.mu.Unlock()
	r.signed = append(r.signed, j)
}
