package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/objstore"
)

// prior is what became of the lanes of the sweep before.
type prior struct {
	outcomes []outcome
	lanes    []resultHeader // the last result of each lane; zero where a lane has none
	alive    bool           // a lane is, or may be, under way
	finished bool           // every lane came to its end
}

// lookBack reads what the base sweep knew and what its lanes did, and reports whether they are still at it. What cannot
// be read is done without: then more streams are looked at than need be.
func (v *visit) lookBack(ctx context.Context) (alive bool, err error) {
	v.known, v.prior = make(map[chat.Stream]*record), &prior{finished: true}
	b := v.pointer.Base
	if b.ID == "" {
		return false, nil
	}
	if v.prior, err = v.readLanes(ctx, b); err != nil || v.prior.alive && !v.spec.Takeover {
		return v.prior != nil && v.prior.alive, err
	}
	body, _, err := v.shelf.get(ctx, knownKey(b.ID))
	if err == nil {
		if v.known, err = decodeKnown(body); err != nil {
			v.known = make(map[chat.Stream]*record)
		}
	}
	switch {
	case errors.Is(err, objstore.ErrNotExist), errors.Is(err, errObject):
		v.log.Warn().Err(err).Msg("what the sweep before knew is lost; every stream is looked at")
	case err != nil:
		return false, fmt.Errorf("read what the sweep before knew: %w", err)
	}
	for i := range v.prior.outcomes {
		o := &v.prior.outcomes[i]
		r := v.known[o.stream()]
		if r == nil {
			r = &record{Group: o.Group, Topic: o.Topic}
			v.known[o.stream()] = r
		}
		r.learn(*o)
	}
	return v.prior.alive, nil
}

// readLanes reads the results of a sweep's lanes in order: each lane's next name is known.
func (v *visit) readLanes(ctx context.Context, b base) (*prior, error) {
	p := &prior{finished: true, lanes: make([]resultHeader, b.Lanes)}
	now := time.Now()
	for lane := range b.Lanes {
		last := &p.lanes[lane]
		until := b.Until
		for batch := 0; !last.Last; batch++ {
			body, _, err := v.shelf.get(ctx, resultKey(b.ID, lane, batch))
			if errors.Is(err, objstore.ErrNotExist) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("read results of the sweep before: %w", err)
			}
			header, outcomes, _, err := decodeResult(body)
			if err != nil {
				v.log.Warn().Err(err).Str("key", resultKey(b.ID, lane, batch)).Msg("result of a lane is unreadable; its streams are looked at again")
				break
			}
			p.outcomes = append(p.outcomes, outcomes...)
			*last, until = header, header.Until
		}
		if !last.Last {
			p.finished = false
			p.alive = p.alive || now.Before(until) && !until.After(now.Add(handover+maxBatch+time.Minute))
		}
	}
	return p, nil
}
