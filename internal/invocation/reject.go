package invocation

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"chatexport/internal/event"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/panics"
)

// rejectWriters is how many rejected records are kept side by side: a producer that broke may have filled a whole batch
// of a partition, up to 10,000 records.
const rejectWriters = 16

// rejected is the object that keeps an event, or a record of one, that cannot be understood.
type rejected struct {
	Format    int       `json:"format"`
	RequestID string    `json:"request_id"`
	Event     string    `json:"event"`
	Source    string    `json:"source,omitempty"`
	Reason    string    `json:"reason"`
	At        time.Time `json:"at"`
	Body      []byte    `json:"body_base64"` // as it came, since it need not be text
}

// reject keeps what cannot be understood for a person to look at. It succeeds where it is kept: a redelivery could not
// help, and a queue's partition must not be blocked.
func (v *visit) reject(ctx context.Context) error {
	failures := make([]error, len(v.event.Rejected))
	var writers errgroup.Group
	writers.SetLimit(rejectWriters)
	for i, r := range v.event.Rejected {
		writers.Go(func() error {
			failures[i] = panics.Logged(v.log, func() error { return v.keep(ctx, r) })
			return nil
		})
	}
	_ = writers.Wait() // every failure is in its own place
	for i, r := range v.event.Rejected {
		if failures[i] == nil {
			v.summary.Rejected++
			v.log.Warn().Str("source", r.Source).Str("reason", r.Reason.Error()).Str("outcome", "rejected").Msg("event rejected")
		}
	}
	return errors.Join(failures...)
}

func (v *visit) keep(ctx context.Context, r event.Rejection) error {
	now := time.Now().UTC()
	body, err := json.MarshalIndent(rejected{
		Format: 1, RequestID: v.platform.RequestID, Event: string(v.event.Kind), Source: r.Source,
		Reason: r.Reason.Error(), At: now, Body: r.Body,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode rejected event: %w", err)
	}
	// Without a request id, which the platform has always given, other events would find the name taken.
	key := layout.Rejected(now, cmp.Or(v.platform.RequestID, v.owner), r.N)
	// A crash right after this write: the event is delivered again and kept once more, or found under its name.
	_, err = v.store.Create(ctx, key, objstore.Write{Body: append(body, '\n'), ContentType: "application/json"})
	if err != nil && !errors.Is(err, objstore.ErrExist) {
		return fmt.Errorf("keep rejected event: %w", err)
	}
	return nil
}
