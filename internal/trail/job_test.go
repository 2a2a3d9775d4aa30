package trail

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
	"chatexport/internal/retry"
)

// That a chunk is lost stands in a receipt for ever: it is believed only when it was asked for again.
func TestRead_BelievesALossOnlyWhenItIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, stored := range map[string][]byte{"missing": nil, "other bytes": []byte("x")} {
		for limit, want := range map[time.Duration]error{50 * time.Millisecond: retry.ErrNoTime, time.Minute: ErrUnread} {
			synctest.Test(t, func(t *testing.T) {
				store := memstore.New(memstore.Options{})
				if stored != nil {
					if _, err := store.Create(t.Context(), "k", objstore.Write{Body: stored}); err != nil {
						t.Fatal(err)
					}
				}
				job := &Job{
					Chunk: archive.ChunkEntry{Key: "k"},
					trail: &Trail{kind: unlooked{}, Batch: Batch{
						Store: objstore.Observe(store, new(objstore.WriteTimes)), Log: zerolog.Nop(),
						Jitter: func(bound time.Duration) time.Duration { return bound },
					}},
				}
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				_, err := job.Read(ctx)
				if !errors.Is(err, want) || errors.Is(err, ErrUnread) != (want == ErrUnread) { //nolint:errorlint // the row's own
					t.Errorf("%s, with %v: %v, want %v", name, limit, err, want)
				}
			})
		}
	}
}

// unlooked is a kind of which only the form is asked.
type unlooked struct{ Kind }

func (unlooked) Form() archive.Trail { return archive.Media() }
