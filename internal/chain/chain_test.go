package chain_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/chain"
	"chatexport/internal/chat"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
	"chatexport/internal/retry"
)

// entry is an object of the tests' chain: what it says of itself is its metadata.
type entry struct {
	lo, hi      chat.Seq
	writer, sum string
	crc64       uint64
}

func (e entry) Range() (lo, hi chat.Seq)     { return e.lo, e.hi }
func (e entry) WrittenBy() string            { return e.writer }
func (e entry) Sums() (sha256, crc64 string) { return e.sum, strconv.FormatUint(e.crc64, 10) }

var errForeign = errors.New("no object of this chain")

func parse(_ string, lo chat.Seq, o objstore.Object) (entry, error) {
	hi, err := strconv.Atoi(o.Metadata["hi"])
	if err != nil {
		return entry{}, errForeign
	}
	return entry{lo: lo, hi: chat.Seq(hi), writer: o.Metadata["writer"], sum: o.Metadata["sum"], crc64: o.CRC64}, nil
}

func key(lo chat.Seq) string { return fmt.Sprintf("%010d", lo) }

// bucket is where the chains of a test are.
type bucket struct {
	*testing.T
	store *memstore.Store
}

// inBucket runs a test in a bubble, in which times in the store are told apart by whole seconds.
func inBucket(t *testing.T, f func(b *bucket)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		f(&bucket{t, memstore.New(memstore.Options{Lag: time.Hour})})
	})
}

// batch is a chain as a new batch sees it. before decides about each of its calls.
func (b *bucket) batch(writer string, before func(memstore.Call) memstore.Fault, earlier ...string) *chain.Chain[entry] {
	view := b.store.View(writer, func(_ context.Context, c memstore.Call) (memstore.Fault, error) {
		if before == nil {
			return memstore.Fault{}, nil
		}
		return before(c), nil
	})
	return &chain.Chain[entry]{
		Store: objstore.Observe(view, new(objstore.WriteTimes)), Key: key, Parse: parse, Writer: writer, Earlier: earlier, Log: zerolog.Nop(),
	}
}

// put writes [lo, hi].
func (b *bucket) put(c *chain.Chain[entry], lo, hi chat.Seq) (entry, bool, error) {
	w := objstore.Write{Body: []byte("body"), Metadata: map[string]string{"hi": strconv.Itoa(int(hi)), "writer": c.Writer, "sum": "sum"}}
	other := memstore.New(memstore.Options{}) // computes the CRC-64
	_, err := other.Create(b.Context(), "k", w)
	b.must(err)
	o, err := other.Head(b.Context(), "k")
	b.must(err)
	return c.Put(b.Context(), entry{lo: lo, hi: hi, writer: c.Writer, sum: "sum", crc64: o.CRC64}, w)
}

func (b *bucket) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// first gives the first call of a kind a fault.
func first(op memstore.Op, n int, f memstore.Fault) func(memstore.Call) memstore.Fault {
	return func(c memstore.Call) memstore.Fault {
		if c.Op != op || n == 0 {
			return memstore.Fault{}
		}
		n--
		return f
	}
}

// The answer to a PUT was lost. Whether the store's own second attempt found the name taken, or nobody knows, the object
// tells whose it is.
func TestPut_KnowsItsOwnWrite(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault memstore.Fault
		mine  bool
	}{
		"undisturbed":             {memstore.Fault{}, true},
		"retried by the store":    {memstore.Fault{Retried: true}, true},
		"no answer":               {memstore.Fault{Err: objstore.ErrUnknown}, true},
		"never arrived, no word":  {memstore.Fault{Lost: true}, false},
		"never arrived, a reason": {memstore.Fault{Lost: true, Err: objstore.ErrDenied}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBucket(t, func(b *bucket) {
				c := b.batch("me", first(memstore.OpCreate, 1, tc.fault))
				time.Sleep(1100 * time.Millisecond)
				stored, mine, err := b.put(c, 1, 20)
				if mine != tc.mine || mine != (err == nil) || mine && stored.hi != 20 {
					b.Errorf("stored %+v, mine %t, %v", stored, mine, err)
				}
				if !mine && !errors.Is(err, objstore.ErrUnknown) && !errors.Is(err, objstore.ErrDenied) {
					b.Errorf("the write's own error is lost: %v", err)
				}
			})
		})
	}
}

// What the write's outcome was, a look that fails does not tell: the error is the write's, to be repeated.
func TestPut_OfUnknownOutcomeWhoseLookFailsIsUnknown(t *testing.T) {
	inBucket(t, func(b *bucket) {
		c := b.batch("me", func(c memstore.Call) memstore.Fault {
			return memstore.Fault{Lost: true, Err: map[memstore.Op]error{memstore.OpCreate: objstore.ErrUnknown, memstore.OpHead: objstore.ErrDenied}[c.Op]}
		})
		if _, mine, err := b.put(c, 1, 20); mine || !errors.Is(err, objstore.ErrUnknown) || errors.Is(err, objstore.ErrDenied) {
			b.Errorf("mine %t, %v", mine, err)
		}
	})
}

func TestPut_OwnWriteWithOtherBytesIsCorrupt(t *testing.T) {
	inBucket(t, func(b *bucket) {
		c := b.batch("me", first(memstore.OpCreate, 1, memstore.Fault{Err: objstore.ErrUnknown}))
		_, err := b.store.Create(b.Context(), key(1), objstore.Write{Body: []byte("bodY"), Metadata: map[string]string{"hi": "20", "writer": "me", "sum": "sum"}})
		b.must(err)
		_, _, err = b.put(c, 1, 20)
		if corrupt, ok := errors.AsType[*chain.CorruptError](err); !ok || corrupt.Lo != 1 || corrupt.Key != key(1) || corrupt.CRC64 == "" {
			b.Errorf("got %v, want that it is corrupt", err)
		}
	})
}

// Whose object stands under a taken name decides who goes on: one that was stored since this batch began is of a delivery
// that is alive, unless it is of a batch before this one, whose write arrived late.
func TestPut_TakenName(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		writer string
		after  time.Duration // how long after this batch's first answer the other one is stored
		lost   bool
	}{
		"older":                             {"other", -2 * time.Second, false},
		"of the second of the first answer": {"other", 500 * time.Millisecond, false},
		"younger":                           {"other", 1100 * time.Millisecond, true},
		"younger, handed on to this batch":  {"before", 1100 * time.Millisecond, false},
		"younger, failed before it":         {"failed", time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBucket(t, func(b *bucket) {
				me := b.batch("me", nil, "failed", "before")
				other := b.batch(tc.writer, nil)
				began := func() { // the first answer of this batch
					if _, err := me.Store.Head(b.Context(), "nothing"); !errors.Is(err, objstore.ErrNotExist) {
						b.Fatal(err)
					}
				}
				if tc.after > 0 {
					began()
					time.Sleep(tc.after)
				}
				_, _, err := b.put(other, 1, 20)
				b.must(err)
				if tc.after < 0 {
					time.Sleep(-tc.after)
					began()
				}
				stored, mine, err := b.put(me, 1, 30)
				if mine || errors.Is(err, chain.ErrLostRace) != tc.lost || err == nil && stored.hi != 20 {
					b.Errorf("stored %+v, mine %t, %v", stored, mine, err)
				}
			})
		})
	}
}

func TestPut_TakenBySomethingElseIsWhatParseSays(t *testing.T) {
	inBucket(t, func(b *bucket) {
		_, err := b.store.Create(b.Context(), key(1), objstore.Write{Body: []byte("not ours")})
		b.must(err)
		if _, mine, err := b.put(b.batch("me", nil), 1, 20); mine || !errors.Is(err, errForeign) {
			b.Errorf("mine %t, %v", mine, err)
		}
	})
}

func TestHop_GoesOverWhatIsThere(t *testing.T) {
	inBucket(t, func(b *bucket) {
		other := b.batch("other", nil)
		for lo := chat.Seq(1); lo <= 81; lo += 20 {
			_, _, err := b.put(other, lo, lo+19)
			b.must(err)
		}
		time.Sleep(2 * time.Second)
		for most, want := range map[int]chat.Seq{100: 101, 2: 41} {
			next, hops := chat.Seq(1), 0
			err := b.batch("me", nil).Hop(b.Context(), 1, func() bool { return hops == most }, func(_ context.Context, e entry) error {
				next, hops = e.hi+1, hops+1
				return nil
			})
			if err != nil || next != want {
				b.Errorf("after at most %d hops at %d, want %d; %v", most, next, want, err)
			}
		}
	})
}

// Who met one object of another batch, and took it for a leftover, meets a younger one behind it: that batch is alive.
func TestHop_BehindALeftoverEndsBeforeAnotherBatchThatIsAlive(t *testing.T) {
	inBucket(t, func(b *bucket) {
		other := b.batch("other", nil)
		_, _, err := b.put(other, 1, 20)
		b.must(err)
		me := b.batch("me", nil)
		if _, mine, err := b.put(me, 1, 30); mine || err != nil {
			b.Fatalf("mine %t, %v", mine, err)
		}
		time.Sleep(2 * time.Second)
		_, _, err = b.put(other, 21, 40)
		b.must(err)
		pass := func(context.Context, entry) error { return nil }
		never := func() bool { return false }
		if err := me.Hop(b.Context(), 21, never, pass); !errors.Is(err, chain.ErrLostRace) {
			b.Errorf("got %v, want a lost race", err)
		}
		if err := b.batch("next", nil).Hop(b.Context(), 1, never, pass); err != nil {
			b.Errorf("a batch that has met nothing: %v", err)
		}
	})
}

// A 404 for an object that must be there may come from a replica that is behind.
func TestLook_BelievesA404OnlyWhenItIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		stale int
		time  time.Duration
		want  error
	}{
		"stale once":                   {1, time.Minute, nil},
		"stale three times":            {3, time.Minute, nil},
		"gone":                         {1000, time.Minute, objstore.ErrNotExist},
		"no time to ask again":         {1000, time.Nanosecond, retry.ErrNoTime},
		"there, and no time otherwise": {0, time.Nanosecond, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inBucket(t, func(b *bucket) {
				_, _, err := b.put(b.batch("other", nil), 1, 20)
				b.must(err)
				ctx, cancel := context.WithTimeout(b.Context(), tc.time)
				defer cancel()
				e, err := b.batch("me", first(memstore.OpHead, tc.stale, memstore.Fault{Stale: true})).Look(ctx, 1)
				if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) || err == nil && e.hi != 20 {
					b.Errorf("%+v, %v, want %v", e, err, tc.want)
				}
				if errors.Is(tc.want, retry.ErrNoTime) && errors.Is(err, objstore.ErrNotExist) {
					b.Errorf("%v is believed", err)
				}
			})
		})
	}
}
