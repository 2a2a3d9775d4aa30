// Package storetest is the conformance suite of the object store contract.
//
// It owns what every store must do, whatever it keeps objects in: a store's own test calls Run and adds only what is
// special about it. It must never know how a store works.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/objstore"
)

// Store is the contract.
type Store interface {
	// Get returns a whole object, verified. objstore.ErrNotExist means that it is certainly absent.
	Get(ctx context.Context, key string) ([]byte, objstore.Object, error)
	// Head describes an object, or returns objstore.ErrNotExist.
	Head(ctx context.Context, key string) (objstore.Object, error)
	// Create stores an object under a free key, or returns objstore.ErrExist.
	Create(ctx context.Context, key string, w objstore.Write) (objstore.Object, error)
	// Overwrite stores an object whether or not the key is taken.
	Overwrite(ctx context.Context, key string, w objstore.Write) (objstore.Object, error)
}

// Opener is what the stores offer that operators' commands read files from.
type Opener interface {
	// Open is Get, piece by piece: the reader fails with objstore.ErrCorrupt where Get would.
	Open(ctx context.Context, key string) (io.ReadCloser, objstore.Object, error)
}

// Run proves that a store keeps the contract. open returns a store that holds nothing; it is called for every subtest.
func Run(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Store){
		"CreatedObjectReadsBack":                   createdObjectReadsBack,
		"EmptyObject":                              emptyObject,
		"MissingObject":                            missingObject,
		"CreateNeverOverwrites":                    createNeverOverwrites,
		"OverwriteReplacesEverything":              overwriteReplacesEverything,
		"OneOfManyCreatorsWins":                    oneOfManyCreatorsWins,
		"EndedContextPerformsNothing":              endedContextPerformsNothing,
		"BodyIsNeitherChangedNorHanded":            bodyIsNeitherChangedNorHanded,
		"InvalidKeysAndMetadata":                   invalidKeysAndMetadata,
		"KeysOfOneAnotherStayApart":                keysOfOneAnotherStayApart,
		"ErrorsTellOperationAndKey":                errorsTellOperationAndKey,
		"LargeObjectReadsBack":                     largeObjectReadsBack,
		"FileIsKeptAsABodyIs":                      fileIsKeptAsABodyIs,
		"FileThatIsNotItsSumsIsNotStored":          fileThatIsNotItsSumsIsNotStored,
		"ObjectIsReadPieceByPiece":                 objectIsReadPieceByPiece,
		"ObjectLargerThanItsKindIsNotRead":         objectLargerThanItsKindIsNotRead,
		"ReadersOfAnOverwrittenKeySeeAWholeObject": readersSeeWholeObjects,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func write(body string, metadata ...string) objstore.Write {
	w := objstore.Write{Body: []byte(body), ContentType: "application/json", Metadata: map[string]string{}}
	for i := 0; i < len(metadata); i += 2 {
		w.Metadata[metadata[i]] = metadata[i+1]
	}
	return w
}

func create(t *testing.T, s Store, key string, w objstore.Write) objstore.Object {
	t.Helper()
	o, err := s.Create(t.Context(), key, w)
	if err != nil {
		t.Fatalf("create %s: %v", key, err)
	}
	return o
}

// expect proves that GET and HEAD both show what was written.
func expect(t *testing.T, s Store, key string, w objstore.Write) {
	t.Helper()
	body, got, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	if !bytes.Equal(body, w.Body) {
		t.Errorf("get %s: %d bytes differ from the %d written", key, len(body), len(w.Body))
	}
	head, err := s.Head(t.Context(), key)
	if err != nil {
		t.Fatalf("head %s: %v", key, err)
	}
	want := objstore.Object{Size: int64(len(w.Body)), CRC64: objstore.CRC64(w.Body), Metadata: w.Metadata}
	if want.Metadata == nil {
		want.Metadata = map[string]string{}
	}
	for how, o := range map[string]objstore.Object{"get": got, "head": head} {
		if o.LastModified.IsZero() || o.Date.IsZero() || o.LastModified.After(o.Date) {
			t.Errorf("%s %s: last modified %v, date %v: both must be told, in this order", how, key, o.LastModified, o.Date)
		}
		o.LastModified, o.Date = time.Time{}, time.Time{}
		if diff := cmp.Diff(want, o); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", how, key, diff)
		}
	}
}

func createdObjectReadsBack(t *testing.T, s Store) {
	w := write(`{"a":1}`, "lo", "1", "sha256", "ab+c/d=", "writer", "x y;z&w", "raw-bytes", "9007199254740993")
	o := create(t, s, "data/gid=G/tid=-/0000000001.ndjson.gz", w)
	if o.Size != 7 || o.CRC64 != objstore.CRC64(w.Body) || o.Date.IsZero() {
		t.Errorf("create answered size %d, crc %d, date %v", o.Size, o.CRC64, o.Date)
	}
	if diff := cmp.Diff(w.Metadata, o.Metadata); diff != "" {
		t.Errorf("metadata of create (-want +got):\n%s", diff)
	}
	expect(t, s, "data/gid=G/tid=-/0000000001.ndjson.gz", w)
}

func emptyObject(t *testing.T, s Store) {
	create(t, s, "empty", write(""))
	expect(t, s, "empty", write(""))
}

func missingObject(t *testing.T, s Store) {
	create(t, s, "other/key", write("x"))
	for _, key := range []string{"missing", "other", "other/ke", "other/key/below"} {
		if _, _, err := s.Get(t.Context(), key); !errors.Is(err, objstore.ErrNotExist) {
			t.Errorf("get %s: %v, want ErrNotExist", key, err)
		}
		if _, err := s.Head(t.Context(), key); !errors.Is(err, objstore.ErrNotExist) {
			t.Errorf("head %s: %v, want ErrNotExist", key, err)
		}
	}
}

func createNeverOverwrites(t *testing.T, s Store) {
	first := write("first", "writer", "one")
	create(t, s, "k", first)
	for _, again := range []objstore.Write{write("second", "writer", "two"), first} {
		if _, err := s.Create(t.Context(), "k", again); !errors.Is(err, objstore.ErrExist) {
			t.Errorf("second create: %v, want ErrExist even for the same bytes", err)
		}
	}
	expect(t, s, "k", first)
}

func overwriteReplacesEverything(t *testing.T, s Store) {
	for _, w := range []objstore.Write{write("one", "a", "1"), write("longer than one", "b", "2"), write("3")} {
		if _, err := s.Overwrite(t.Context(), "state/state.json", w); err != nil {
			t.Fatalf("overwrite: %v", err)
		}
		expect(t, s, "state/state.json", w)
	}
	if _, err := s.Create(t.Context(), "state/state.json", write("4")); !errors.Is(err, objstore.ErrExist) {
		t.Errorf("create of an overwritten key: %v, want ErrExist", err)
	}
}

func oneOfManyCreatorsWins(t *testing.T, s Store) {
	const writers = 16
	errs := make([]error, writers)
	bodies := make([]objstore.Write, writers)
	var group sync.WaitGroup
	for i := range writers {
		bodies[i] = write(strings.Repeat(string(rune('a'+i)), 1000+i), "writer", string(rune('a'+i)))
		group.Go(func() { _, errs[i] = s.Create(t.Context(), "race", bodies[i]) })
	}
	group.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			t.Errorf("writers %d and %d both won", winner, i)
		case !errors.Is(err, objstore.ErrExist):
			t.Errorf("writer %d: %v, want ErrExist", i, err)
		}
	}
	if winner < 0 {
		t.Fatal("nobody won")
	}
	expect(t, s, "race", bodies[winner])
}

func endedContextPerformsNothing(t *testing.T, s Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, getErr := s.Get(ctx, "k")
	_, headErr := s.Head(ctx, "k")
	_, createErr := s.Create(ctx, "k", write("x"))
	_, overwriteErr := s.Overwrite(ctx, "k", write("x"))
	for op, err := range map[string]error{"get": getErr, "head": headErr, "create": createErr, "overwrite": overwriteErr} {
		if !errors.Is(err, context.Canceled) || errors.Is(err, objstore.ErrUnknown) {
			t.Errorf("%s: %v, want context.Canceled and a known outcome", op, err)
		}
	}
	if _, _, err := s.Get(t.Context(), "k"); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("get afterwards: %v, want ErrNotExist", err)
	}
}
