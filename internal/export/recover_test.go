package export_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
	"chatexport/internal/retry"
	"chatexport/internal/verify"
)

// wreck is an archive whose state is lost, and the engine that finds its way in it.
type wreck struct {
	t      *testing.T
	chat   *chatemu.Server
	store  *memstore.Store
	stream chat.Stream
	engine *export.Engine
	heads  int
	ops    map[memstore.Op]int // all requests of the engine
	next   []byte              // as published last
}

// Continue implements export.Requeuer.
func (w *wreck) Continue(_ context.Context, _ chat.Stream, next []byte) error {
	w.next = next
	return nil
}

// newWreck makes a group of n messages of which the first have chunks of one seq each, listed nowhere. A HEAD takes
// so long.
func newWreck(t *testing.T, n, archived int, head time.Duration) *wreck {
	t.Helper()
	w := &wreck{t: t, stream: chat.Stream{GroupID: "@TGS#1"}, store: memstore.New(memstore.Options{}), ops: make(map[memstore.Op]int)}
	w.chat = chatemu.New(chatemu.Options{
		SDKAppID: world.SDKAppID, SecretKey: world.SecretKey, Latency: 50 * time.Millisecond, KeepCalls: -1,
	})
	must(t, w.chat.AddGroup(chatemu.Group{ID: w.stream.GroupID}))
	must(t, w.chat.Generate(w.stream, n, plain))
	client, err := chatapi.New(chatapi.Config{
		SDKAppID: world.SDKAppID, SecretKey: world.SecretKey, BaseURL: "http://127.0.0.1:1", Transport: w.chat.RoundTripper(),
	})
	must(t, err)
	w.fill(archived)
	view := w.store.View("engine", func(ctx context.Context, c memstore.Call) (memstore.Fault, error) {
		w.ops[c.Op]++
		if c.Op == memstore.OpHead {
			w.heads++
			if err := retry.Sleep(ctx, head); err != nil {
				return memstore.Fault{}, err
			}
		}
		return memstore.Fault{}, nil
	})
	w.engine = &export.Engine{
		Source: client, Store: view, Requeuer: w, Caller: chatapi.NewCaller(retry.NewLimiter(100)), Writes: new(objstore.WriteTimes),
		Limits: export.Limits{SDKAppID: world.SDKAppID, Span: 100_000, ChunkBytes: 1 << 24, MaxHops: 1000, Concurrency: 4},
	}
	return w
}

// fill writes genesis and chunks of one expired seq each behind the engine's back.
func (w *wreck) fill(n int) {
	w.t.Helper()
	body, err := archive.Genesis{
		Format: archive.Format, SDKAppID: world.SDKAppID, GroupID: w.stream.GroupID, FirstLo: 1, Head: chat.Seq(n), CreatedAt: time.Now(),
		ExpiredBelow: archive.ExpiredBelow{Seq: 1, Evidence: archive.EvidenceNone},
	}.Encode()
	must(w.t, err)
	w.put(layout.Genesis(w.stream), objstore.Write{Body: body, ContentType: "application/json"})
	// All alike but for their names: what they hold does not matter here, and 5,000 writers would take their time.
	chunk, err := archive.NewExpiredChunk(w.stream, 1, 1, archive.EvidenceFinished, "20261121T083000Z-00000000", "request", "writer")
	must(w.t, err)
	for seq := chat.Seq(1); seq <= chat.Seq(n); seq++ {
		chunk.Meta.Lo, chunk.Meta.Hi = seq, seq
		w.put(layout.Chunk(w.stream, seq), objstore.Write{
			Body: chunk.Body, ContentType: "application/gzip", Metadata: chunk.Meta.Metadata(),
		})
	}
	must(w.t, w.chat.SetFloor(w.stream, chat.Seq(n)+1))
}

func (w *wreck) put(key string, object objstore.Write) {
	w.t.Helper()
	_, err := w.store.Create(w.t.Context(), key, object)
	must(w.t, err)
}

// batch does one batch under a limit of 30 s; its process dies after so long, never if 0.
func (w *wreck) batch(c []byte, dies time.Duration) (export.Result, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	if dies > 0 {
		defer time.AfterFunc(dies, cancel).Stop()
	}
	return w.engine.Run(ctx, export.Request{
		Stream: w.stream, Continuation: c, Owner: "owner", RequestID: "request", Deadline: time.Now().Add(30 * time.Second), Log: zerolog.Nop(),
	})
}

// Nobody knows of 5,000 chunks but their own chain. It is walked hop by hop under a limit of 30 s, all of it is listed,
// and nothing of it is pulled again; batches that die meanwhile do not begin again at the beginning.
func TestThousandsOfUnlistedChunksWithoutStateAreRecoveredHopByHop(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		archived int
		head     time.Duration // what a HEAD takes; all of them take 75 s
		kills    int           // batches that die after 20 s
		most     int           // HEADs: some once more for the listing, and 5 s of hops lost with each kill
	}{
		{"undisturbed", 5000, 15 * time.Millisecond, 0, 7500},
		{"dying", 5000, 15 * time.Millisecond, 3, 8500},
		{"few that are slow", 150, 500 * time.Millisecond, 3, 370},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWreck(t, tc.archived+40, tc.archived, tc.head)
				var next []byte
				batches, frontier := 0, chat.Seq(0)
				for deliveries := 0; ; deliveries++ {
					dies := time.Duration(0)
					if deliveries < tc.kills {
						dies = 20 * time.Second
					}
					began := time.Now()
					result, err := w.batch(next, dies)
					if took := time.Since(began); took > 30*time.Second {
						t.Fatalf("delivery %d took %v", deliveries, took)
					}
					if dies > 0 {
						continue // the event is delivered again
					}
					batches++
					if err != nil {
						t.Fatalf("delivery %d: %v", deliveries, err)
					}
					if result.Frontier < frontier || batches > 10 { // it may stay where the listing takes its time
						t.Fatalf("delivery %d gets from %d to %d", deliveries, frontier, result.Frontier)
					}
					frontier = result.Frontier
					if result.Outcome == export.Complete {
						break
					}
					next = w.next
				}
				w.check(chat.Seq(tc.archived))
				t.Logf("%d batches, %d HEADs, %d calls of the Chat API", batches, w.heads, w.chat.Counters().Calls)
				if w.heads > tc.most {
					t.Errorf("%d HEADs for %d chunks, want at most %d", w.heads, tc.archived, tc.most)
				}
			})
		})
	}
}

// check proves that the archive is whole and listed, and that nothing up to archived was pulled again.
func (w *wreck) check(archived chat.Seq) {
	w.t.Helper()
	report, err := verify.Stream(w.t.Context(), w.store, w.stream, verify.Options{SDKAppID: world.SDKAppID})
	must(w.t, err)
	truth, newest, err := w.chat.Truth(w.stream)
	must(w.t, err)
	if !report.Sound() || report.Hi != newest || report.ListedTo != newest || report.Finished != archive.StatusComplete {
		w.t.Errorf("archived up to %d, listed up to %d (%q) of %d: %v", report.Hi, report.ListedTo, report.Finished, newest, report.Findings)
	}
	diff, err := verify.Compare(w.t.Context(), w.store, w.stream, func(yield func(chat.Seq, []byte) bool) {
		for r := range truth {
			if r.JSON != nil && !yield(r.Seq, r.JSON) {
				return
			}
		}
	})
	must(w.t, err)
	if !diff.Same() {
		w.t.Error(&diff)
	}
	for _, c := range w.chat.Calls() {
		if c.Query.HasSeq && c.Query.Seq <= archived {
			w.t.Errorf("seq %d is asked for again", c.Query.Seq)
		}
	}
}
