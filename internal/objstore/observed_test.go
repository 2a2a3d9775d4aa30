package objstore_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
)

// What is younger than the batch is measured by the store's clock at its first answer, whatever that was, in whole
// seconds; in doubt it is not.
func TestObserved_TellsWhatIsYoungerThanItsFirstAnswer(t *testing.T) {
	t.Parallel()
	const skew = -time.Hour // of the store's clock
	for name, answer := range map[string]func(ctx context.Context, o *objstore.Observed){
		"get, nothing there":  func(ctx context.Context, o *objstore.Observed) { _, _, _ = o.Get(ctx, "nothing") },
		"head":                func(ctx context.Context, o *objstore.Observed) { _, _ = o.Head(ctx, "k") },
		"create, name taken":  func(ctx context.Context, o *objstore.Observed) { _, _ = o.Create(ctx, "k", objstore.Write{}) },
		"overwrite":           func(ctx context.Context, o *objstore.Observed) { _, _ = o.Overwrite(ctx, "l", objstore.Write{}) },
		"no answer, then one": func(ctx context.Context, o *objstore.Observed) { _, _ = o.Head(ctx, "lost"); _, _ = o.Head(ctx, "k") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := memstore.New(memstore.Options{Now: func() time.Time { return time.Now().Add(skew) }})
				_, err := store.Create(t.Context(), "k", objstore.Write{})
				if err != nil {
					t.Fatal(err)
				}
				o := objstore.Observe(store.View("", func(_ context.Context, c memstore.Call) (memstore.Fault, error) {
					return memstore.Fault{Lost: c.Key == "lost"}, nil
				}), new(objstore.WriteTimes))
				if o.Since(time.Now().Add(time.Hour)) {
					t.Error("younger than a first answer that did not come yet")
				}
				time.Sleep(1500 * time.Millisecond)
				first := time.Now().Add(skew).Truncate(time.Second)
				answer(t.Context(), o)
				time.Sleep(time.Minute)
				_, _ = o.Head(t.Context(), "k") // a later answer changes nothing
				for after, want := range map[time.Duration]bool{-time.Second: false, 0: false, time.Second: true} {
					if got := o.Since(first.Add(after)); got != want {
						t.Errorf("%v after the first answer: younger %t", after, got)
					}
				}
			})
		})
	}
}

// The time that a batch keeps for its last writes fits the store: a slow one counts, and is forgotten by and by.
func TestObserved_RemembersHowLongWritesTake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var writes objstore.WriteTimes
		var takes time.Duration
		o := objstore.Observe(memstore.New(memstore.Options{}).View("", func(context.Context, memstore.Call) (memstore.Fault, error) {
			time.Sleep(takes)
			return memstore.Fault{}, nil
		}), &writes)
		for _, step := range []struct {
			takes, want time.Duration
		}{{time.Second, time.Second}, {8 * time.Second, 8 * time.Second}, {0, 7 * time.Second}} {
			takes = step.takes
			_, _ = o.Overwrite(t.Context(), "k", objstore.Write{})
			takes = time.Hour
			_, _ = o.Head(t.Context(), "k")                                                         // reads do not count
			_, _ = o.Create(t.Context(), "file", objstore.Write{File: (objstore.Write{}).Source()}) // nor do files
			if got := writes.Slowest(); got != step.want {
				t.Errorf("after a write of %v: %v, want %v", step.takes, got, step.want)
			}
		}
		for takes = 0; writes.Slowest() > time.Millisecond; {
			was := writes.Slowest()
			_, _ = o.Create(t.Context(), "k", objstore.Write{})
			if writes.Slowest() >= was {
				t.Fatal("a slow write is never forgotten")
			}
		}
	})
}
