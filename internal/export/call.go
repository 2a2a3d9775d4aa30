package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/retry"
)

// errProtocol means that the service answered something that its documentation excludes.
var errProtocol = errors.New("the service broke its protocol")

// CallPolicy is the documentation's advice for repeated calls (0.2 s doubling, at most 10 s apart), with one attempt
// more, since history that is not read in time is lost. Sweeps call the same service, and go by it, too.
func CallPolicy() retry.Policy {
	return retry.Policy{Base: 200 * time.Millisecond, Cap: 10 * time.Second, Attempts: 6}
}

// call makes one call of the Chat API, paced, repeated and counted.
func (b *batch) call(ctx context.Context, attempt func(ctx context.Context) error) error {
	return b.callPaced(ctx, false, attempt)
}

// callPaced is call; the first attempt does not wait where the caller has waited for it.
func (b *batch) callPaced(ctx context.Context, waited bool, attempt func(ctx context.Context) error) error {
	policy := CallPolicy()
	policy.Jitter = b.Jitter
	return policy.Do(ctx, func(ctx context.Context, n int) error {
		if n > 1 || !waited {
			if err := b.Limiter.Wait(ctx); err != nil {
				return err
			}
		}
		b.calls.Add(1)
		if n > 1 {
			b.retries.Add(1)
		}
		err := attempt(ctx)
		b.Limiter.Observe(err)
		if retry.ClassOf(err) == retry.Throttled && err != nil {
			b.throttled.Add(1)
		}
		return err
	})
}

// page reads one page, of fewer messages than were asked for where the answer would be too large.
func (b *batch) page(ctx context.Context, q chat.Query) (chat.Page, error) {
	for {
		page, err := b.pagePaced(ctx, q, false)
		if !errors.Is(err, chat.ErrTooLarge) || q.Number <= 1 {
			return page, err
		}
		q.Number = (q.Number + 1) / 2
	}
}

// pagePaced reads one page. A page that lies wholly above what was asked would lead a reader in circles: it is asked
// again, then given up.
func (b *batch) pagePaced(ctx context.Context, q chat.Query, waited bool) (chat.Page, error) {
	var page chat.Page
	err := b.callPaced(ctx, waited, func(ctx context.Context) error {
		var err error
		if page, err = b.Source.Page(ctx, q); err != nil {
			return err
		}
		if bottom := lowest(page); q.Seq > 0 && bottom > q.Seq {
			return protocolError{fmt.Errorf("%w: asked for seqs up to %d, got %d and above", errProtocol, q.Seq, bottom)}
		}
		return nil
	})
	if err == nil {
		b.pages.Add(1)
	}
	return page, err
}

// surePage reads a page from which much is concluded if it is empty. Since it may be so for a moment, it is then asked
// again, unless it says itself that everything has expired.
func (b *batch) surePage(ctx context.Context, q chat.Query) (chat.Page, error) {
	page, err := b.page(ctx, q)
	if err == nil && len(page.Elements) == 0 && page.Finished != chat.FinishedExpired {
		return b.page(ctx, q)
	}
	return page, err
}

// protocolError is worth another attempt: a broken answer is more often a gateway's hiccup than a service's habit.
type protocolError struct{ error }

func (p protocolError) Unwrap() error           { return p.error }
func (p protocolError) RetryClass() retry.Class { return retry.Transient }

// lowest returns the smallest seq of a page, 0 if it is empty.
func lowest(p chat.Page) chat.Seq {
	var lowest chat.Seq
	for i := range p.Elements {
		if seq := p.Elements[i].Seq; lowest == 0 || seq < lowest {
			lowest = seq
		}
	}
	return lowest
}
